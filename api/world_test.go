package api_test

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"purser/api"
	"purser/teams"
)

// newKey makes an API key.
func (w *world) newKey(scopes ...teams.Scope) string {
	w.T.Helper()
	n := w.Made.Add(1)
	id, token, hash := api.NewKey(func(b []byte) {
		copy(b, fmt.Sprintf("%032d", n))
		copy(b[max(0, len(b)-10):], fmt.Sprintf("%010d", n))
	})
	w.Must(func(tx pgx.Tx) error {
		return teams.CreateKey(w.T.Context(), tx, teams.APIKey{ID: id, Name: "test", Scopes: scopes, CreatedBy: "test", CreatedAt: noon}, hash)
	})
	return token
}
