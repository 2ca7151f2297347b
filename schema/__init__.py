"""The contract in Strawberry: scalars, types, problems, query, mutation. Translates; decides nothing."""
