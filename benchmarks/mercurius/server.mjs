// Mercurius with its JIT on pg. MODE=natural: a resolver asks for its own field. MODE=statement: one statement a tree.
// It has no token, no scope and no limit; its ids are the rows' own.
import { createHmac, randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import Fastify from 'fastify'
import mercurius from 'mercurius'
import pg from 'pg'

const { PORT, MODE, BENCH_DATABASE_URL, BENCH_LOOKUP_KEY, BENCH_STATEMENTS, BENCH_BUSINESS_DATE } = process.env
const institutionId = Number(process.env.BENCH_INSTITUTION_ID)
const clientId = process.env.BENCH_CLIENT_ID
const lookupKey = Buffer.from(BENCH_LOOKUP_KEY, 'hex')
const year = Number(BENCH_BUSINESS_DATE.slice(0, 4))
const statements = JSON.parse(BENCH_STATEMENTS)
const pool = new pg.Pool({ connectionString: BENCH_DATABASE_URL, max: 10 })
const PAGE = 20
const CODE_LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

// Named, so that pg prepares it once a connection.
async function row(name, values) {
  const { rows } = await pool.query({ name, text: statements[name], values, rowMode: 'array' })
  return rows[0]
}

function nameIndex({ residentId, name }) {
  return createHmac('sha256', lookupKey).update(`name\0${residentId}\0${name}`).digest().subarray(0, 16)
}

const monthOf = (text) => Number(text.slice(0, 4)) * 12 + Number(text.slice(5)) - 1
const monthText = (month) => `${Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, '0')}`

function bill([billNumber, origin, insurance, first, last, amount, payBy, status]) {
  return {
    node: {
      billNumber, origin, insurance, firstMonth: monthText(first), lastMonth: monthText(last),
      monthCount: last - first + 1, amount: amount.toFixed(2), payBy, status,
    },
  }
}

function connection(bills, size) {
  return { edges: bills.slice(0, size).map(bill), pageInfo: { hasNextPage: bills.length > size } }
}

function period([insurance, mode, first, last]) {
  return {
    insurance, mode, firstMonth: monthText(first), lastMonth: monthText(last), monthCount: last - first + 1,
    payBy: mode === 'CURRENT_YEAR' ? `${year}-12-31` : null,
  }
}

const natural = {
  Query: {
    async payer(_, args) {
      const found = await row('found', [nameIndex(args)])
      return found && { id: found[0], maskedName: found[1], maskedResidentId: found[2] }
    },
  },
  Payer: {
    async payablePeriods(payer) {
      return (await row('periodsOf', [payer.id, BENCH_BUSINESS_DATE]))[0].map(period)
    },
    async assessedBills(payer, { first = PAGE }) {
      return connection((await row('billsOf', [payer.id, BENCH_BUSINESS_DATE, first]))[0], first)
    },
  },
}

// The selection of a root field, and `first` of the bills in it, decide the statement.
const statement = {
  Query: {
    async payer(_, args, _context, info) {
      const selected = info.fieldNodes[0].selectionSet.selections
      if (selected.some((field) => field.name.value === 'payablePeriods')) {
        const found = await row('payer', [nameIndex(args), BENCH_BUSINESS_DATE, PAGE])
        return found && {
          maskedName: found[0], maskedResidentId: found[1], assessedBills: connection(found[2], PAGE),
          payablePeriods: found[3].map(period),
        }
      }
      const first = info.variableValues.first ?? PAGE
      const found = await row('bills', [nameIndex(args), BENCH_BUSINESS_DATE, first])
      return found && { maskedName: found[0], maskedResidentId: found[1], assessedBills: connection(found[2], first) }
    },
  },
}

const mutations = {
  RequestQuoteResult: { resolveType: (value) => value.kind },
  SubmitPaymentResult: { resolveType: (value) => value.kind },
  Mutation: {
    async requestQuote(_, { input }) {
      const first = monthOf(input.firstMonth)
      const last = monthOf(input.lastMonth)
      const found = await row('quote', [institutionId, clientId, input.payerId, first, last, input.tier, year])
      if (!found) return { kind: 'PeriodNotPayable', code: 'PERIOD_NOT_PAYABLE' }
      const [monthly, amount] = found
      return {
        kind: 'Quote', insurance: 'PENSION', firstMonth: input.firstMonth, lastMonth: input.lastMonth,
        monthCount: last - first + 1, amount, status: 'OPEN', tier: { code: input.tier, monthlyAmount: monthly },
        lines: Array.from({ length: last - first + 1 }, (_, n) => ({ month: monthText(first + n), amount: monthly })),
      }
    },
    async submitPayment(_, { input }) {
      const code = Array.from({ length: 12 }, () => CODE_LETTERS[randomInt(32)]).join('')
      const [outcome, amount, channel, businessDate] = await row('payment', [
        institutionId, clientId, input.payableId, input.amount, input.bankReference, input.collectedAt,
        BENCH_BUSINESS_DATE, code,
      ])
      if (outcome !== 'ACCEPTED' && outcome !== 'REPLAYED') return { kind: 'PaymentRefused', code: outcome }
      return {
        kind: 'PaymentAccepted', replayed: outcome === 'REPLAYED',
        payment: { amount, status: 'ACCEPTED', channel, businessDate, receipt: { status: 'VALID' } },
      }
    },
  },
}

const app = Fastify()
app.register(mercurius, {
  schema: readFileSync(new URL('../contenders/peers.graphql', import.meta.url), 'utf8'),
  resolvers: { ...(MODE === 'natural' ? natural : statement), ...mutations },
  // Compile an operation at its first use.
  jit: 1,
})
app.get('/readyz', async () => ({}))
process.on('SIGTERM', async () => {
  await app.close()
  await pool.end()
})
await app.listen({ host: '127.0.0.1', port: Number(PORT) })
