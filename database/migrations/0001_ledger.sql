-- The ledger and what it rests on.
--
-- Months are whole numbers, year * 12 + month - 1, so that runs of months are int4range and
-- "owed minus paid" is multirange arithmetic. Money is numeric(14, 2) yuan. What must never happen is a
-- constraint here, not a check in a program that a second process can race.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE FUNCTION month_number(day date) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (extract(YEAR FROM day)::integer * 12) + extract(MONTH FROM day)::integer - 1;

CREATE FUNCTION month_count(months int4range) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN upper(months) - lower(months);

-- Keys of the data at rest, each wrapped (RFC 3394) by the master key, which is never in the database.
CREATE TABLE data_keys (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('IDENTITY', 'LOOKUP', 'OPAQUE_ID')),
    wrapped_key bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz
);
CREATE UNIQUE INDEX data_keys_current ON data_keys (purpose) WHERE retired_at IS NULL;

-- What this database is. One row, so that the sandbox is never loaded into anything else.
CREATE TABLE installation (
    only_row boolean PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    sandbox boolean NOT NULL
);

CREATE TABLE institutions (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code ~ '^[A-Z0-9_-]{1,20}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    kind text NOT NULL CHECK (kind IN ('BANK', 'TAX', 'SOCIAL_INSURANCE_AGENCY', 'MEDICAL_INSURANCE_AGENCY')),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE clients (
    id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9._-]{1,64}$'),
    institution_id integer NOT NULL REFERENCES institutions (id),
    channel text CHECK (channel IN ('COUNTER', 'MOBILE_BANKING', 'WECHAT', 'MINI_PROGRAM', 'TAX_WINDOW')),
    scopes text[] NOT NULL,
    secret_hash text NOT NULL,
    -- A sandbox client's secret is public: it is refused wherever the server is not a sandbox.
    sandbox boolean NOT NULL DEFAULT FALSE,
    created_at timestamptz NOT NULL DEFAULT now(),
    secret_rotated_at timestamptz,
    revoked_at timestamptz
);

-- The keys that sign access tokens. The private half is sealed by the vault.
CREATE TABLE signing_keys (
    id text PRIMARY KEY,
    algorithm text NOT NULL CHECK (algorithm = 'ES256'),
    public_jwk jsonb NOT NULL,
    sealed_private_key bytea NOT NULL,
    data_key_id integer NOT NULL REFERENCES data_keys (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz
);
CREATE UNIQUE INDEX signing_keys_current ON signing_keys (algorithm) WHERE retired_at IS NULL;

-- 统筹地区: the province and its prefecture-level cities, by GB/T 2260 code.
CREATE TABLE pooling_areas (
    code text PRIMARY KEY CHECK (code ~ '^[0-9]{6}$'),
    name text NOT NULL,
    province_code text REFERENCES pooling_areas (code)
);

-- What the authorities publish for one insurance, year and pooling area. Amounts are stated, never computed.
CREATE TABLE schedules (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    insurance text NOT NULL CHECK (insurance IN ('PENSION', 'MEDICAL')),
    year integer NOT NULL CHECK (year BETWEEN 1900 AND 2999),
    pooling_area text NOT NULL REFERENCES pooling_areas (code),
    rate numeric(5, 4) NOT NULL CHECK (rate > 0 AND rate < 1),
    average_monthly_wage numeric(14, 2) NOT NULL CHECK (average_monthly_wage > 0),
    -- The tier at which months of this year are assessed when they are paid in a later year.
    arrears_tier text,
    loaded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (insurance, year, pooling_area)
);

CREATE TABLE schedule_tiers (
    schedule_id integer NOT NULL REFERENCES schedules (id) ON DELETE CASCADE,
    code text NOT NULL CHECK (length(code) BETWEEN 1 AND 32),
    position smallint NOT NULL,
    percent integer CHECK (percent BETWEEN 1 AND 1000),
    monthly_base numeric(14, 2) NOT NULL CHECK (monthly_base > 0),
    monthly_amount numeric(14, 2) NOT NULL CHECK (monthly_amount > 0),
    note text,
    PRIMARY KEY (schedule_id, code),
    UNIQUE (schedule_id, position)
);

ALTER TABLE schedules
ADD FOREIGN KEY (id, arrears_tier) REFERENCES schedule_tiers (schedule_id, code)
DEFERRABLE INITIALLY DEFERRED;

-- A person. Found by keyed indexes of the identity number and of number and name together; both are
-- sealed, and only their masks are in clear.
CREATE TABLE payers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resident_id_index bytea NOT NULL UNIQUE CHECK (length(resident_id_index) = 16),
    name_index bytea NOT NULL CHECK (length(name_index) = 16),
    sealed_identity bytea NOT NULL,
    data_key_id integer NOT NULL REFERENCES data_keys (id),
    masked_name text NOT NULL,
    masked_resident_id text NOT NULL
);

-- Which institutions have named a person by number and name, and so may see the person's bills.
CREATE TABLE named_payers (
    institution_id integer NOT NULL REFERENCES institutions (id),
    payer_id bigint NOT NULL REFERENCES payers (id),
    named_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (payer_id, institution_id)
);

CREATE TABLE enrolments (
    payer_id bigint NOT NULL REFERENCES payers (id),
    insurance text NOT NULL CHECK (insurance IN ('PENSION', 'MEDICAL')),
    -- Open at the top while the enrolment goes on.
    months int4range NOT NULL CHECK (NOT isempty(months) AND NOT lower_inf(months)),
    pooling_area text NOT NULL REFERENCES pooling_areas (code),
    EXCLUDE USING gist (payer_id WITH =, insurance WITH =, months WITH &&)
);
CREATE UNIQUE INDEX enrolments_first_month ON enrolments (payer_id, insurance, lower(months))
INCLUDE (months, pooling_area);

-- 本年自主缴费: a price for a run of months, as it stood when it was given.
CREATE TABLE quotes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id integer NOT NULL REFERENCES institutions (id),
    client_id text NOT NULL REFERENCES clients (id),
    payer_id bigint NOT NULL REFERENCES payers (id),
    insurance text NOT NULL CHECK (insurance IN ('PENSION', 'MEDICAL')),
    pooling_area text NOT NULL REFERENCES pooling_areas (code),
    months int4range NOT NULL CHECK (NOT isempty(months) AND NOT lower_inf(months) AND NOT upper_inf(months)),
    rate numeric(5, 4) NOT NULL,
    tier_code text NOT NULL,
    tier_percent integer,
    tier_monthly_base numeric(14, 2) NOT NULL,
    tier_monthly_amount numeric(14, 2) NOT NULL,
    tier_note text,
    amount numeric(14, 2) NOT NULL CHECK (amount = tier_monthly_amount * month_count(months)),
    quoted_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL CHECK (expires_at > quoted_at)
);

-- One batch of an agency through the API, so that the same batch again is answered and not assessed twice.
CREATE TABLE bill_batches (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id integer NOT NULL REFERENCES institutions (id),
    batch text NOT NULL,
    content_sha256 bytea NOT NULL,
    assessed_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (institution_id, batch)
);

-- 核定: an amount that an agency set for a run of months.
CREATE TABLE bills (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bill_number text NOT NULL CHECK (length(bill_number) BETWEEN 1 AND 64),
    origin text NOT NULL CHECK (origin IN ('PAYER_ARREARS', 'AGENCY_COUNTER', 'MEDICAL_BATCH')),
    payer_id bigint NOT NULL REFERENCES payers (id),
    insurance text NOT NULL CHECK (insurance IN ('PENSION', 'MEDICAL')),
    pooling_area text NOT NULL REFERENCES pooling_areas (code),
    months int4range NOT NULL CHECK (NOT isempty(months) AND NOT lower_inf(months) AND NOT upper_inf(months)),
    amount numeric(14, 2) NOT NULL CHECK (amount > 0),
    pay_by date,
    batch_id bigint REFERENCES bill_batches (id),
    -- The bill's place in its batch, so that the batch is answered again in its own order.
    batch_index integer,
    assessed_at timestamptz NOT NULL DEFAULT now(),
    withdrawn_at timestamptz,
    withdrawal_reason text,
    -- One agency for each insurance: a bill number is its agency's, and is used once.
    UNIQUE (insurance, bill_number)
);
CREATE INDEX bills_of_payer ON bills (payer_id, id);
CREATE INDEX bills_of_batch ON bills (batch_id, batch_index) WHERE batch_id IS NOT NULL;
-- Asking twice for the same arrears finds the bill there is.
CREATE UNIQUE INDEX bills_arrears_run ON bills (payer_id, insurance, months)
WHERE origin = 'PAYER_ARREARS' AND withdrawn_at IS NULL;

CREATE TABLE bill_lines (
    bill_id bigint NOT NULL REFERENCES bills (id),
    month integer NOT NULL,
    monthly_base numeric(14, 2) NOT NULL,
    rate numeric(5, 4) NOT NULL,
    amount numeric(14, 2) NOT NULL CHECK (amount > 0),
    PRIMARY KEY (bill_id, month)
);

CREATE SEQUENCE bill_numbers;

CREATE TABLE payments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id integer NOT NULL REFERENCES institutions (id),
    client_id text NOT NULL REFERENCES clients (id),
    channel text,
    bank_reference text COLLATE "C" NOT NULL CHECK (bank_reference ~ '^[!-~]{1,64}$'),
    quote_id bigint REFERENCES quotes (id),
    bill_id bigint REFERENCES bills (id),
    payer_id bigint NOT NULL REFERENCES payers (id),
    insurance text NOT NULL CHECK (insurance IN ('PENSION', 'MEDICAL')),
    pooling_area text NOT NULL REFERENCES pooling_areas (code),
    months int4range NOT NULL CHECK (NOT isempty(months) AND NOT lower_inf(months) AND NOT upper_inf(months)),
    amount numeric(14, 2) NOT NULL CHECK (amount > 0),
    collected_at timestamptz NOT NULL,
    branch text,
    teller text,
    business_date date NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now(),
    posted_at timestamptz,
    reversed_at timestamptz,
    reversed_by text REFERENCES clients (id),
    reversal_reason text,
    refunded_at timestamptz,
    -- The idempotency key, kept for ever.
    UNIQUE (institution_id, bank_reference),
    CHECK (num_nonnulls(quote_id, bill_id) = 1),
    CHECK (reversed_at IS NULL OR refunded_at IS NULL),
    CHECK (num_nonnulls(reversed_at, reversed_by, reversal_reason) IN (0, 3))
);
-- A quote or a bill is settled by one standing payment at the most.
CREATE UNIQUE INDEX payments_standing_quote ON payments (quote_id)
WHERE quote_id IS NOT NULL AND reversed_at IS NULL AND refunded_at IS NULL;
CREATE UNIQUE INDEX payments_standing_bill ON payments (bill_id)
WHERE bill_id IS NOT NULL AND reversed_at IS NULL AND refunded_at IS NULL;
CREATE INDEX payments_of_day ON payments (institution_id, business_date, id) INCLUDE (amount, reversed_at);
CREATE INDEX payments_of_payer ON payments (payer_id, institution_id, id);

-- 电子缴费凭证. A payment has its receipt and a receipt its payment, from the same transaction on.
CREATE TABLE receipts (
    payment_id bigint PRIMARY KEY REFERENCES payments (id),
    number text NOT NULL UNIQUE CHECK (number ~ '^[0-9]{18}$'),
    verification_code text NOT NULL CHECK (verification_code ~ '^[0-9A-HJKMNP-TV-Z]{12}$'),
    issued_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE payments
ADD FOREIGN KEY (id) REFERENCES receipts (payment_id) DEFERRABLE INITIALLY DEFERRED;

-- The months that are paid, here (payment_id) or elsewhere. A reversal ends it (standing = FALSE); no row
-- goes.
CREATE TABLE contributions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payer_id bigint NOT NULL REFERENCES payers (id),
    insurance text NOT NULL CHECK (insurance IN ('PENSION', 'MEDICAL')),
    months int4range NOT NULL CHECK (NOT isempty(months) AND NOT lower_inf(months) AND NOT upper_inf(months)),
    amount numeric(14, 2) NOT NULL CHECK (amount > 0),
    paid_on date NOT NULL,
    payment_id bigint UNIQUE REFERENCES payments (id),
    -- The bill that the payment settled: who may see a bill may know that it is paid, but not by whom.
    bill_id bigint REFERENCES bills (id),
    standing boolean NOT NULL DEFAULT TRUE,
    -- A month of one insurance is paid once by one person, whatever races.
    CONSTRAINT month_paid_once
    EXCLUDE USING gist (payer_id WITH =, insurance WITH =, months WITH &&) WHERE (standing)
);
CREATE INDEX contributions_standing ON contributions (payer_id, insurance) INCLUDE (months) WHERE standing;
CREATE UNIQUE INDEX contributions_standing_bill ON contributions (bill_id) WHERE bill_id IS NOT NULL AND standing;

-- 日终对账: the bank's latest list of a day, and how it differs from the ledger.
CREATE TABLE settlement_days (
    institution_id integer NOT NULL REFERENCES institutions (id),
    business_date date NOT NULL,
    reconciled_at timestamptz NOT NULL,
    PRIMARY KEY (institution_id, business_date)
);

CREATE TABLE settlement_entries (
    institution_id integer NOT NULL,
    business_date date NOT NULL,
    bank_reference text COLLATE "C" NOT NULL,
    amount numeric(14, 2) NOT NULL CHECK (amount >= 0),
    reversed boolean NOT NULL,
    PRIMARY KEY (institution_id, business_date, bank_reference),
    FOREIGN KEY (institution_id, business_date) REFERENCES settlement_days (institution_id, business_date)
);

CREATE TABLE settlement_differences (
    institution_id integer NOT NULL,
    business_date date NOT NULL,
    bank_reference text COLLATE "C" NOT NULL,
    kind text NOT NULL
    CHECK (kind IN ('MISSING_AT_GATEWAY', 'MISSING_AT_BANK', 'AMOUNT_DIFFERS', 'STATUS_DIFFERS')),
    gateway_amount numeric(14, 2),
    bank_amount numeric(14, 2),
    PRIMARY KEY (institution_id, business_date, bank_reference, kind),
    FOREIGN KEY (institution_id, business_date) REFERENCES settlement_days (institution_id, business_date)
);

-- The months that a person owes in one insurance and pooling area and has not paid. "Owed" ends at no month
-- while the enrolment goes on: whoever reads this cuts it to the years that it asks for. A run of months
-- never spans two pooling areas, since each has its own schedule.
CREATE VIEW unpaid_months AS
SELECT
    e.payer_id,
    e.insurance,
    e.pooling_area,
    range_agg(e.months) - coalesce(
        (
            SELECT range_agg(c.months)
            FROM contributions AS c
            WHERE c.payer_id = e.payer_id AND c.insurance = e.insurance AND c.standing
        ),
        '{}'::int4multirange
    ) AS months
FROM enrolments AS e
GROUP BY e.payer_id, e.insurance, e.pooling_area;

INSERT INTO pooling_areas (code, name, province_code) VALUES
('360000', '江西省', NULL),
('360100', '南昌市', '360000'),
('360200', '景德镇市', '360000'),
('360300', '萍乡市', '360000'),
('360400', '九江市', '360000'),
('360500', '新余市', '360000'),
('360600', '鹰潭市', '360000'),
('360700', '赣州市', '360000'),
('360800', '吉安市', '360000'),
('360900', '宜春市', '360000'),
('361000', '抚州市', '360000'),
('361100', '上饶市', '360000');
