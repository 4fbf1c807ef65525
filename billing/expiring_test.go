package billing_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"purser/billing"
	"purser/internal/pgtest"
	"purser/ledger"
)

// expiries gives what was told of a book's ends, as "7d: 40 of ann by 240h", counted
// from noon.
func expiries(t *testing.T, tx pgx.Tx, book int64) (told []string) {
	t.Helper()
	list, err := billing.Notices(t.Context(), tx, billing.NoticeFilter{BookID: book, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range list {
		if n.Kind != billing.NoticeExpiring {
			continue
		}
		line := fmt.Sprintf("%vd: %v", n.Data["days"], n.Data["credits"])
		if n.UserID != "" {
			line += " of " + n.UserID
		}
		end, err := time.Parse(time.RFC3339, fmt.Sprint(n.Data["expires_at"]))
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, fmt.Sprintf("%s by %gh", line, end.Sub(noon).Hours()))
	}
	return told
}

// sweepEnds tells all that is to be told, some books at a time.
func sweepEnds(t *testing.T, tx pgx.Tx, at time.Time, booksMax int) {
	t.Helper()
	for more := true; more; {
		var err error
		if _, more, err = billing.TellExpiring(t.Context(), tx, at, booksMax); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTellExpiring(t *testing.T) {
	t.Parallel()
	after := func(d time.Duration) *time.Time { end := noon.Add(d); return &end }
	const day = 24 * time.Hour
	grant := func(credits int64, end *time.Time, holder string) func(*testing.T, pgx.Tx, int64) {
		return func(t *testing.T, tx pgx.Tx, book int64) {
			grantBonus(t, tx, billing.BonusIn{Book: book, Holder: holder, Credits: credits, Key: fmt.Sprint(credits), Actor: "op", ExpiresAt: end}, noon)
		}
	}
	change := func(do func(b *ledger.Book) error) func(*testing.T, pgx.Tx, int64) {
		return func(t *testing.T, tx pgx.Tx, book int64) {
			state, err := billing.OpenState(t.Context(), tx, billing.DemoCatalog(), noon, ledger.Want{Book: book})
			if err == nil {
				err = errors.Join(do(state.Book), billing.Save(t.Context(), tx, state))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	type steps []func(*testing.T, pgx.Tx, int64)
	for _, c := range []struct {
		name   string
		steps  steps
		sweeps []time.Duration
		want   []string
	}{
		{"AWeekAndADayBefore", steps{grant(40, after(10*day), "")}, []time.Duration{0, 3*day - 1000, 3 * day, 3 * day, 8 * day, 9 * day, 9*day + time.Hour, 11 * day},
			[]string{"7d: 40 by 240h", "1d: 40 by 240h"}},
		{"NeverEnds", steps{grant(40, nil, "")}, []time.Duration{0, 300 * day}, nil},
		{"AMembersAllocation", steps{grant(40, after(10*day), "ann"), grant(3, after(10*day), "")}, []time.Duration{4 * day},
			[]string{"7d: 3 by 240h", "7d: 40 of ann by 240h"}},
		{"TwoLotsTogether", steps{grant(40, after(10*day), ""), grant(2, after(10*day), "")}, []time.Duration{4 * day}, []string{"7d: 42 by 240h"}},
		{"DownForTheWeek", steps{grant(40, after(10*day), "")}, []time.Duration{0, 9*day + time.Hour, 9*day + 2*time.Hour}, []string{"1d: 40 by 240h"}},
		{"DownUntilItWasOver", steps{grant(40, after(10*day), "")}, []time.Duration{0, 10 * day, 20 * day}, nil},
		{"FirstStartFindsWhatIsNear", steps{grant(40, after(2*day), ""), grant(2, after(time.Hour), "")}, []time.Duration{0},
			[]string{"7d: 40 by 48h", "1d: 2 by 1h"}},
		{"OnlyWhatIsFree", steps{grant(40, after(10*day), ""), func(t *testing.T, tx pgx.Tx, book int64) { spendBonus(t, tx, book, 25, 5) }}, []time.Duration{4 * day},
			[]string{"7d: 10 by 240h"}},
		{"NothingLeft", steps{grant(40, after(10*day), ""), func(t *testing.T, tx pgx.Tx, book int64) { spendBonus(t, tx, book, 35, 5) }}, []time.Duration{4 * day}, nil},
		{"NotWhatIsFrozen", steps{grant(40, after(10*day), ""), change(func(b *ledger.Book) error {
			for lot := range b.Lots() {
				if _, err := b.SetFrozen(ledger.Request{Key: "freeze", Actor: "x", At: noon}, lot, true); err != nil {
					return err
				}
			}
			return nil
		})}, []time.Duration{4 * day}, nil},
		{"NotWhatATurnEnds", steps{change(func(b *ledger.Book) error {
			pool, _ := b.Account(ledger.Main)
			_, err := b.Grant(ledger.Request{Key: "g", Actor: "x", At: noon}, pool, ledger.LotIn{
				Source: ledger.Monthly, Origin: "g", EffectiveAt: noon, ExpiresAt: after(10 * day), Series: "sub_1", Step: 1,
			}, 40)
			return err
		})}, []time.Duration{4 * day}, nil},
	} {
		t.Run("N1_"+c.name, func(t *testing.T) {
			t.Parallel()
			tx, book := bonusBook(t)
			for _, step := range c.steps {
				step(t, tx, book)
			}
			for _, d := range c.sweeps {
				sweepEnds(t, tx, noon.Add(d), 2)
			}
			if got := expiries(t, tx, book); !slices.Equal(got, c.want) {
				t.Errorf("told %q, want %q", got, c.want)
			}
		})
	}
}

// However the sweep is stopped and whenever it runs, what comes within a week and within
// a day of its end is told once for each.
func TestTellExpiring_N1_OnceThoughStoppedAnywhere(t *testing.T) {
	t.Parallel()
	tx := pgtest.Tx(t)
	rapid.Check(t, func(r *rapid.T) {
		undo, err := tx.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = undo.Rollback(t.Context()) }()
		ends := map[int64][]time.Duration{}
		hour := rapid.Map(rapid.IntRange(1, 20*24), func(n int) time.Duration { return time.Duration(n) * time.Hour })
		for i := range rapid.IntRange(1, 6).Draw(r, "books") {
			book, err := ledger.Create(t.Context(), undo, ledger.TeamBook, noon)
			if err != nil {
				t.Fatal(err)
			}
			for j, d := range rapid.SliceOfNDistinct(hour, 0, 4, rapid.ID).Draw(r, "ends") {
				end := noon.Add(d)
				grantBonus(t, undo, billing.BonusIn{Book: book, Credits: 5, Key: fmt.Sprint(i, j), Actor: "op", ExpiresAt: &end}, noon)
				ends[book] = append(ends[book], d)
			}
		}
		var sweeps []time.Duration
		for at := time.Duration(0); at < 21*24*time.Hour; at += hour.Draw(r, "pause") {
			sweeps = append(sweeps, at)
			stops := rapid.IntRange(0, 2).Draw(r, "stops")
			booksMax := rapid.IntRange(1, 3).Draw(r, "together")
			for more := true; more; {
				err := pgx.BeginFunc(t.Context(), undo, func(tx pgx.Tx) (err error) {
					_, more, err = billing.TellExpiring(t.Context(), tx, noon.Add(at), booksMax)
					if stops--; err == nil && stops == 0 {
						more, err = true, errStopped
					}
					return err
				})
				if err != nil && !errors.Is(err, errStopped) {
					t.Fatal(err)
				}
			}
		}
		for book, lots := range ends {
			var want []string
			for _, end := range lots {
				for days, from := range map[int]int{7: 1, 1: 0} {
					if slices.ContainsFunc(sweeps, func(at time.Duration) bool {
						left := end - at
						return left > time.Duration(from)*24*time.Hour && left <= time.Duration(days)*24*time.Hour
					}) {
						want = append(want, fmt.Sprintf("%dd: 5 by %gh", days, end.Hours()))
					}
				}
			}
			got := expiries(t, undo, book)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				r.Fatalf("told %q, want %q", got, want)
			}
		}
	})
}

var errStopped = errors.New("stopped")
