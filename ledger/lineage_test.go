package ledger

import (
	"strings"
	"testing"

	"purser/internal/pgtest"
)

func TestDescendants(t *testing.T) {
	t.Parallel()
	tx := pgtest.Tx(t)
	user, team := create(t, tx, UserBook), create(t, tx, TeamBook)
	books, err := Open(t.Context(), tx, day(1), Want{Book: user}, Want{Book: team})
	if err != nil {
		t.Fatal(err)
	}
	from, to := books[0], books[1]
	root := "pack " + t.Name()
	lot := give(t, from, pack(root, nil), 30)
	give(t, from, pack("other "+t.Name(), nil), 30)
	if _, _, err := Carry(from, to, ask("carry", day(1)), CarryIn{
		Kind: KindContribution, To: mainOf(t, to), Draws: from.Take(lot, 10), Contributor: "ann",
	}); err != nil {
		t.Fatal(err)
	}
	must(t)(spend(from, "all", day(1), 50, From(mainOf(t, from)))) // nothing is left there
	write(t, tx, from, to)
	found, err := Descendants(t.Context(), tx, []string{root, "nothing"})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || found[0] != (Descendant{user, root}) || found[1].Book != team || !strings.HasPrefix(found[1].Origin, root+"@") {
		t.Errorf("L3: found %+v", found)
	}
	if got := Root(found[1].Origin); got != root {
		t.Errorf("the root of %q is %q", found[1].Origin, got)
	}
}
