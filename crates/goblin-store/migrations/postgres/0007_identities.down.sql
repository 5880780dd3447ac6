DROP TABLE presented_tokens;
DROP TABLE sign_in_flows;
DROP TABLE identities;
