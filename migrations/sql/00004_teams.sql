-- +goose Up

-- Users and teams carry the product's own ids and come into being at first mention.
CREATE TABLE users (
    id              text        PRIMARY KEY CHECK (id <> '' AND length(id) <= 200),
    book_id         bigint      NOT NULL UNIQUE,
    email           text        NOT NULL DEFAULT '' CHECK (length(email) <= 320),
    name            text        NOT NULL DEFAULT '' CHECK (length(name) <= 200),
    created_at      timestamptz NOT NULL
);
CREATE UNIQUE INDEX users_email ON users (lower(email)) WHERE email <> '';

CREATE TABLE teams (
    id              text        PRIMARY KEY CHECK (id <> '' AND length(id) <= 200),
    book_id         bigint      NOT NULL UNIQUE,
    owner_id        text        NOT NULL REFERENCES users (id),
    name            text        NOT NULL CHECK (name <> '' AND length(name) <= 200),
    description     text        NOT NULL DEFAULT '' CHECK (length(description) <= 2000),
    sharing         text        NOT NULL DEFAULT 'pool' CHECK (sharing IN ('pool', 'balances')),
    created_at      timestamptz NOT NULL
);
CREATE INDEX teams_owner ON teams (owner_id);
