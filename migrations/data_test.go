package migrations_test

import (
	"testing"

	"purser/internal/pgtest"
	"purser/migrations"
)

// TestUp_FromAnEarlierVersionWithDataInIt takes a database of the version before members
// forward: every team gets its owner as a member, and what was drawn from pools before is
// counted, so that limits set later know of it.
func TestUp_FromAnEarlierVersionWithDataInIt(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), pgtest.Empty(t)
	if err := migrations.UpTo(ctx, pool, 4); err != nil {
		t.Fatal(err)
	}
	_, err := pool.Exec(ctx, `
		INSERT INTO books (id, kind, sequence, created_at) OVERRIDING SYSTEM VALUE
		VALUES (1, 'user', 0, '2026-01-01Z'), (2, 'team', 6, '2026-01-01Z');
		INSERT INTO accounts (book_id, id, kind, created_at, balance, held)
		SELECT 2, a.id, a.kind, '2026-01-01Z', a.balance, a.held
		FROM (VALUES (1, 'issued', -1000, 0), (2, 'spent', 270, 0), (3, 'expired', 0, 0), (4, 'clawed_back', 0, 0), (5, 'debt', 0, 0),
		             (6, 'clearing', 0, 0), (7, 'pool', 730, 50)) AS a (id, kind, balance, held);
		INSERT INTO entries (book_id, sequence, kind, key, request_hash, actor, at, credits, holder_id, undoes, ends_at)
		VALUES (2, 1, 'grant', 'g', 'h', 'purser', '2026-01-02Z', 1000, '', NULL, NULL),
		       (2, 3, 'spend', 's', 'h', 'ada', '2026-01-03Z', 300, 'ada', NULL, NULL),
		       (2, 4, 'reversal', 'r', 'h', 'ada', '2026-01-04Z', 30, 'ada', 3, NULL),
		       (2, 5, 'hold', 'h', 'h', 'ben', '2026-01-05Z', 50, 'ben', NULL, '2026-01-06Z');
		INSERT INTO lots (book_id, id, source, origin, granted, effective_at, first_granted_at, root_origin, created_entry)
		VALUES (2, 2, 'bonus', 'b', 1000, '2026-01-02Z', '2026-01-02Z', 'b', 1);
		INSERT INTO postings (book_id, entry, line, lot_id, from_account, to_account, credits)
		VALUES (2, 1, 1, 2, 1, 7, 1000), (2, 3, 1, 2, 7, 2, 300), (2, 4, 1, 2, 2, 7, 30);
		INSERT INTO holds (book_id, id, holder_id, state, credits, held_at, expires_at) VALUES (2, 5, 'ben', 'open', 50, '2026-01-05Z', '2026-01-06Z');
		INSERT INTO hold_draws (book_id, hold_id, line, lot_id, account_id, credits) VALUES (2, 5, 1, 2, 7, 50);
		INSERT INTO users (id, book_id, created_at) VALUES ('olga', 1, '2026-01-01Z');
		INSERT INTO teams (id, book_id, owner_id, name, created_at) VALUES ('acme', 2, 'olga', 'Acme', '2026-01-01Z')`)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(ctx, pool); err != nil {
		t.Fatal(err)
	}
	var role, access string
	if err := pool.QueryRow(ctx, `SELECT role, access FROM members WHERE team_id = 'acme' AND user_id = 'olga'`).Scan(&role, &access); err != nil {
		t.Fatal(err)
	}
	if role != "owner" || access != "credits" {
		t.Errorf("T0: the owner became %s with %s access", role, access)
	}
	for holder, want := range map[string]int64{"ada": 270, "ben": 50} {
		var drew int64
		if err := pool.QueryRow(ctx, `SELECT credits FROM drawn WHERE book_id = 2 AND holder_id = $1`, holder).Scan(&drew); err != nil {
			t.Fatal(err)
		}
		if drew != want {
			t.Errorf("T6: %s drew %d before, %d is counted", holder, want, drew)
		}
	}
}

// TestUp_CountsWhatAllocationsPaid takes a database of the version before forward: what was
// used in the current window is told apart by whether an allocation paid it.
func TestUp_CountsWhatAllocationsPaid(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), pgtest.Empty(t)
	if err := migrations.UpTo(ctx, pool, 5); err != nil {
		t.Fatal(err)
	}
	_, err := pool.Exec(ctx, `
		INSERT INTO books (id, kind, sequence, window_start, created_at) OVERRIDING SYSTEM VALUE VALUES (1, 'team', 6, '2026-02-01Z', '2026-01-01Z');
		INSERT INTO accounts (book_id, id, kind, holder_id, created_at, balance)
		VALUES (1, 2, 'spent', '', '2026-01-01Z', 80), (1, 7, 'pool', '', '2026-01-01Z', 100), (1, 8, 'allocation', 'ada', '2026-01-01Z', 20);
		INSERT INTO entries (book_id, sequence, kind, key, request_hash, actor, at, credits, holder_id, undoes)
		VALUES (1, 1, 'spend', 'a', 'h', 'ada', '2026-01-30Z', 50, 'ada', NULL), -- before the window
		       (1, 3, 'spend', 'b', 'h', 'ada', '2026-02-02Z', 40, 'ada', NULL),
		       (1, 4, 'reversal', 'c', 'h', 'ada', '2026-02-03Z', 7, 'ada', 3),
		       (1, 5, 'reversal', 'd', 'h', 'ada', '2026-02-03Z', 3, 'ada', 1), -- of a spend before the window
		       (1, 6, 'spend', 'e', 'h', 'ben', '2026-02-04Z', 5, 'ben', NULL);
		INSERT INTO lots (book_id, id, source, origin, granted, effective_at, first_granted_at, root_origin, created_entry)
		VALUES (1, 2, 'bonus', 'b', 1000, '2026-01-02Z', '2026-01-02Z', 'b', 1);
		INSERT INTO postings (book_id, entry, line, lot_id, from_account, to_account, credits)
		VALUES (1, 1, 1, 2, 8, 2, 50), (1, 3, 1, 2, 8, 2, 30), (1, 3, 2, 2, 7, 2, 10), (1, 4, 1, 2, 2, 8, 7), (1, 5, 1, 2, 2, 8, 3), (1, 6, 1, 2, 7, 2, 5);
		INSERT INTO usage (book_id, window_start, holder_id, bonus)
		VALUES (1, '2026-01-01Z', 'ada', 50), (1, '2026-02-01Z', 'ada', 33), (1, '2026-02-01Z', 'ben', 5)`)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(ctx, pool); err != nil {
		t.Fatal(err)
	}
	for holder, want := range map[string]int64{"ada": 23, "ben": 0} {
		var used int64
		if err := pool.QueryRow(ctx, `SELECT allocation FROM usage WHERE window_start = '2026-02-01Z' AND holder_id = $1`, holder).Scan(&used); err != nil {
			t.Fatal(err)
		}
		if used != want {
			t.Errorf("T14: %s used %d of the allocation, %d is counted", holder, want, used)
		}
	}
}
