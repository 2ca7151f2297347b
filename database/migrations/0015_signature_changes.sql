-- Every process remembers for a while by which keys a client signs and whether it must: it is told, at commit, of what
-- must be looked up again. Neither table changes with a payment, so that no payment waits for another's commit.
CREATE TRIGGER notify_client_signing_key AFTER INSERT OR UPDATE OR DELETE ON client_signing_keys
FOR EACH ROW EXECUTE FUNCTION notify_authorization('client_signing_key', 'client_id');
CREATE TRIGGER notify_signature_requirement AFTER INSERT OR UPDATE OR DELETE ON signature_requirements
FOR EACH ROW EXECUTE FUNCTION notify_authorization('signature_requirement', 'institution_id');
