-- What the operator's page reads of a day, over all institutions (resolvers/overview.py).
--
-- A day's payments lie together, as they were accepted: an index of ranges of pages finds them in one pass, is a few
-- kilobytes large, and costs a payment next to nothing.
CREATE INDEX payments_business_date ON payments USING brin (business_date) WITH (autosummarize = on);

-- The same rows as before are seen and changed, but the cheap question comes first. Of several policies PostgreSQL
-- asked the refund's before the bank's own, for each row, and that took most of the time of a day's total.
DROP POLICY own ON payments;
DROP POLICY read_to_refund ON payments;
DROP POLICY refund ON payments;
CREATE POLICY see ON payments FOR SELECT USING (acts_for(institution_id) OR is_asked_to_refund(id, insurance));
CREATE POLICY change ON payments FOR UPDATE USING (acts_for(institution_id) OR is_asked_to_refund(id, insurance));
CREATE POLICY accept ON payments FOR INSERT WITH CHECK (acts_for(institution_id));
CREATE POLICY remove ON payments FOR DELETE USING (acts_for(institution_id));
