DROP TABLE budget_holds;
DROP TABLE spending;
DROP TABLE budgets;
DROP TABLE usage_open;
ALTER TABLE usage DROP COLUMN would_have_cost_nano_usd;
ALTER TABLE usage DROP COLUMN estimated;
ALTER TABLE usage DROP COLUMN cost_nano_usd;
ALTER TABLE usage DROP COLUMN key_id;
