package ledger

import "time"

// Blank makes an empty book in memory. It belongs to no database and can't be written:
// it is for working out what would happen, and for tests of decisions.
func Blank(id int64, kind Kind, at time.Time) *Book {
	b := newBook(id, kind)
	b.at = at
	main := Personal
	if kind == TeamBook {
		main = Pool
	}
	for i, k := range []AccountKind{"issued", "spent", "expired", "clawed_back", "debt", "clearing", main} {
		b.accounts = append(b.accounts, &Account{ID: int32(i + 1), Kind: k, createdAt: at})
	}
	return b
}
