package migrations_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"purser/internal/pgtest"
	"purser/migrations"
)

// oneHold is a book with a grant and a hold.
const oneHold = `
	INSERT INTO books (id, kind, created_at) VALUES (1, 'team', now());
	INSERT INTO entries (book_id, sequence, kind, key, request_hash, actor, at, credits)
		VALUES (1, 1, 'grant', 'g', '', 'us', now(), 5), (1, 3, 'hold', 'h', '', 'us', now(), 2);
	INSERT INTO lots (book_id, id, source, origin, granted, effective_at, first_granted_at, root_origin, created_entry)
		VALUES (1, 2, 'bonus', 'o', 5, now(), now(), 'o', 1);
	INSERT INTO postings VALUES (1, 1, 1, 2, 1, 7, 5);
	INSERT INTO holds (book_id, id, state, credits, held_at, expires_at) VALUES (1, 3, 'open', 2, now(), now());
	INSERT INTO hold_draws VALUES (1, 3, 1, 2, 7, 2)`

// orphans are rows of which one refers to what isn't there.
var orphans = map[string]string{
	"AnEntryWithoutItsBook": `
		INSERT INTO entries (book_id, sequence, kind, key, request_hash, actor, at, credits)
		VALUES (1, 9, 'spend', 's', '', 'us', now(), 1), (2, 1, 'spend', 's', '', 'us', now(), 1)`,
	"APostingWithoutItsEntry": `INSERT INTO postings VALUES (1, 1, 2, 2, 7, 2, 1), (1, 9, 1, 2, 7, 2, 1)`,
	"APostingWithoutItsLot":   `INSERT INTO postings VALUES (1, 1, 2, 2, 7, 2, 1), (1, 1, 3, 9, 7, 2, 1)`,
	"AHoldWithoutItsEntry": `
		INSERT INTO holds (book_id, id, state, credits, held_at, expires_at) VALUES (1, 1, 'open', 2, now(), now()), (1, 9, 'open', 2, now(), now())`,
	"ADrawWithoutItsHold": `INSERT INTO hold_draws VALUES (1, 3, 2, 2, 7, 1), (1, 1, 1, 2, 7, 1)`,
}

// L5, L9: what the ledger's rows refer to is there, and stays.
func TestChecks(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T, tx pgx.Tx, sql, code string) {
		t.Helper()
		err := pgx.BeginFunc(t.Context(), tx, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), sql)
			return err
		})
		var refusal *pgconn.PgError
		if !errors.As(err, &refusal) || refusal.Code != code {
			t.Errorf("got %v, want it refused with %s", err, code)
		}
	}
	setup := func(t *testing.T) pgx.Tx {
		t.Helper()
		tx := pgtest.Tx(t) // one at a time: all of them write the same book
		if _, err := tx.Exec(t.Context(), oneHold); err != nil {
			t.Fatal(err)
		}
		return tx
	}
	for name, sql := range orphans {
		t.Run("L9_Refuses"+name, func(t *testing.T) {
			refused(t, setup(t), sql, "23503")
		})
	}
	for name, sql := range map[string]string{
		"LotGone": `DELETE FROM lots`, "LotRenumbered": `UPDATE lots SET id = 9`, "LotsTruncated": `TRUNCATE lots CASCADE`,
		"HoldGone": `DELETE FROM holds`, "HoldOfAnotherBook": `UPDATE holds SET book_id = 9`, "HoldsTruncated": `TRUNCATE holds CASCADE`,
		"BookGone": `DELETE FROM books`, "BookRenumbered": `UPDATE books SET id = 9`, "BooksTruncated": `TRUNCATE books CASCADE`,
	} {
		t.Run("L5_RefusesToHaveA"+name, func(t *testing.T) {
			refused(t, setup(t), sql, "23001")
		})
	}
	t.Run("L9_ForeignKeysRefuseTheSameOnceTheyAreBack", func(t *testing.T) {
		tx := setup(t)
		for _, sql := range migrations.Rekeyed() {
			if _, err := tx.Exec(t.Context(), sql); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		for _, sql := range orphans {
			refused(t, tx, sql, "23503")
		}
	})
}
