package worker

import (
	"context"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// expiringTogether is how many books' ends are told of in one transaction.
const expiringTogether = 500

// SweepExpiring tells of credits that are about to end, a chunk at a time, and reports how
// many notices it wrote. A tick that was missed costs nothing but time.
func (w *Worker) SweepExpiring(ctx context.Context) (int, error) {
	told, more := 0, true
	for more && ctx.Err() == nil {
		var n int
		err := w.inTx(ctx, func(tx pgx.Tx) (err error) {
			n, more, err = billing.TellExpiring(ctx, tx, w.cfg.Now(), expiringTogether)
			return err
		})
		if err != nil {
			return told, err
		}
		told += n
	}
	return told, ctx.Err()
}
