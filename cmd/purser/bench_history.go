package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// benchWritten is how many spends are written in one statement.
const benchWritten = 200_000

// history gives some teams' pools a past: so many spends of one credit each, by their
// members in turn, as the ledger keeps them, with keys, hashes and answers as long as those
// of real ones. Over HTTP a million would take ten minutes; that they are as they must be
// is what the audit says.
func (b *bench) history(ctx context.Context, from, to, spends int) error {
	conn, err := b.db.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("opening a connection: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SET session_replication_role = replica; SET synchronous_commit = off`); err != nil {
		return fmt.Errorf("preparing to write: %w", err)
	}
	written := 0
	for team := from; team < to; {
		// Many small books in one statement, a large one in several.
		next := min(to, team+max(1, benchWritten/max(1, spends)))
		for done := 0; done < spends; done += benchWritten {
			b.say("writing history: %s of %s spends", thousands(int64(written)), thousands(int64(spends)*int64(to-from)))
			n := min(benchWritten, spends-done)
			for i, class := range benchClasses[:b.classes] {
				// What can't be parted evenly is the last class's.
				part := n*(i+1)/b.classes - n*i/b.classes
				if err := b.writeSpends(ctx, conn.Conn(), class, team, next, part); err != nil {
					return fmt.Errorf("writing history: %w", err)
				}
			}
			written += n * (next - team)
		}
		team = next
	}
	_, err = conn.Exec(ctx, `SET session_replication_role = origin; SET synchronous_commit = on; ANALYZE`)
	return err
}

// benchClass is a class of lots that spends draw on: the lots' source, and the column of usage
// in which it is counted.
type benchClass struct{ source, column string }

// benchClasses are those from which spends are written in turn, a statement each.
var benchClasses = []benchClass{{"bonus", "bonus"}, {"purchase", "purchased"}}

// writeSpends writes spends to the pools of some teams. Each is of the first lot of a class.
func (b *bench) writeSpends(ctx context.Context, conn *pgx.Conn, class benchClass, from, to, spends int) error {
	const pools = `(SELECT b.id, b.sequence, b.window_start, 'user-' || 'x' || lpad(t.n::text, 6, '0') || 'x-' AS member,
		       (SELECT min(l.id) FROM %[3]s l WHERE l.book_id = b.id AND l.source = @source) AS lot
		FROM generate_series(@from::bigint, @to::bigint) AS t (n) JOIN %[1]s b ON b.id = @book::bigint + t.n * @stride::bigint)`
	statements := []string{
		`INSERT INTO %[4]s (book_id, sequence, kind, key, request_hash, actor, at, credits, holder_id, answer)
		 SELECT p.id, p.sequence + g, 'spend', 'request:' || md5(p.id || '-' || p.sequence + g)::uuid, sha256(int8send(p.sequence + g)),
		        'backend', p.window_start, 1, p.member || (g %% @members::bigint),
		        jsonb_build_object('at', p.window_start, 'user', p.member || (g %% @members::bigint), 'credits', 1, 'available', 1000000000 - p.sequence - g,
		            'entry', jsonb_build_object('Book', p.id, 'Sequence', p.sequence + g), 'paid_from', jsonb_build_array(jsonb_build_object(
		                'account', 'pool', 'credits', 1, 'lots', jsonb_build_array(jsonb_build_object('lot', p.lot, 'source', @source::text, 'credits', 1)))))
		 FROM ` + pools + ` p, generate_series(1, @spends::bigint) g`,
		`INSERT INTO %[5]s (book_id, entry, line, lot_id, from_account, to_account, credits)
		 SELECT p.id, p.sequence + g, 1, p.lot, 7, 2, 1 FROM ` + pools + ` p, generate_series(1, @spends::bigint) g`,
		`UPDATE %[6]s x SET balance = x.balance - @spends::bigint FROM ` + pools + ` p WHERE x.book_id = p.id AND x.lot_id = p.lot AND x.account_id = 7`,
		`INSERT INTO %[6]s AS x (book_id, lot_id, account_id, balance, is_open)
		 SELECT p.id, p.lot, 2, @spends::bigint, false FROM ` + pools + ` p
		 ON CONFLICT (book_id, lot_id, account_id) DO UPDATE SET balance = x.balance + EXCLUDED.balance`,
		`UPDATE %[2]s x SET balance = x.balance + a.way * @spends::bigint FROM ` + pools + ` p, (VALUES (2, 1), (7, -1)) AS a (id, way)
		 WHERE x.book_id = p.id AND x.id = a.id`,
		`INSERT INTO %[7]s AS x (book_id, window_start, holder_id, %[9]s)
		 SELECT p.id, p.window_start, p.member || (g %% @members::bigint), count(*) FROM ` + pools + ` p, generate_series(1, @spends::bigint) g GROUP BY 1, 2, 3
		 ON CONFLICT (book_id, window_start, holder_id) DO UPDATE SET %[9]s = x.%[9]s + EXCLUDED.%[9]s`,
		`INSERT INTO %[8]s AS x (book_id, holder_id, window_start, credits)
		 SELECT p.id, p.member || (g %% @members::bigint), w.start, count(*)
		 FROM ` + pools + ` p, generate_series(1, @spends::bigint) g, LATERAL (VALUES (p.window_start), ('0001-01-01 00:00:00+00'::timestamptz)) AS w (start)
		 GROUP BY 1, 2, 3
		 ON CONFLICT (book_id, holder_id, window_start) DO UPDATE SET credits = x.credits + EXCLUDED.credits`,
		`UPDATE %[1]s x SET sequence = x.sequence + @spends::bigint FROM ` + pools + ` p WHERE x.id = p.id`,
	}
	for _, sql := range statements {
		sql = fmt.Sprintf(sql, "books", "accounts", "lots", "entries", "postings", "lot_balances", "usage", "drawn", class.column)
		_, err := conn.Exec(ctx, sql, pgx.NamedArgs{
			"from": from, "to": to - 1, "book": b.template.book, "stride": b.template.stride, "spends": int64(spends), "members": int64(b.members), "source": class.source,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
