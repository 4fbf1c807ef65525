// Package ledger answers how many credits an account holds, from which lots, until when.
//
// # Books
//
// Credits lie in accounts, accounts in books: one book per team, one per user. A
// book's row is its only lock. Open takes it and loads the book into memory; the
// methods of Book decide, purely, and remember what they decided; Write stores all of
// it in one round trip. Nothing in between touches the database, so the same methods
// serve a write, a preview and a read that acts as if everything due had been done.
//
//	books, err := ledger.Open(ctx, tx, at, ledger.Want{Book: id})
//	entry, err := books[0].Spend(request, ledger.SpendIn{…})
//	err = ledger.Write(ctx, tx, books...)
//
// The caller begins the transaction and commits it. When a method refuses, it has
// changed nothing, in memory either, so a book can go on deciding for other callers.
//
// # Lots
//
// Credits are not fungible: each belongs to a lot with a source, an end and a lineage.
// What a lot has left in an account is a portion. Spending, holding and moving choose
// portions in one total order (see less); what comes back goes to the lots it came
// from. A posting moves credits of one lot between two accounts of one book, so every
// entry balances by construction, and a move between books is two entries that meet in
// the two clearing accounts.
//
// # Keys
//
// Every entry has a key that is unique in its book. The same key with the same request
// gives the first entry again; with another request it is refused (ErrKeyReused).
// Only what was posted is remembered: a refused request is decided anew. Keys that
// begin with "ledger:" are the ledger's own, of entries that nobody asked for and of
// second halves in another book.
//
// # What is kept beside the entries
//
// Balances, what is held, open debts, usage and draws are kept up to date so that
// deciding reads little, however long the history is. All of it follows from entries and
// postings, which are only ever appended; Audit adds them up again and names every
// difference.
package ledger
