-- +goose Up

-- A team's and a user's own purchases: they stay in the history of whom they were for,
-- whatever book their credits went to.
CREATE INDEX purchases_team ON purchases (team_id, id) WHERE team_id <> '';
CREATE INDEX purchases_user ON purchases (user_id, id) WHERE team_id = '';
