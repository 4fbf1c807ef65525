package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// heldBackPage is how many lots held back are looked at a time; there is never much.
const heldBackPage = 200

// followHeldBack lets what was held when its subscription moved follow it, once the hold
// has settled (T13).
func (w *Worker) followHeldBack(ctx context.Context) error {
	var failed error
	var after billing.HeldBack
	for ctx.Err() == nil {
		page, err := billing.ListHeldBack(ctx, w.db, after, heldBackPage)
		if err != nil {
			return errors.Join(failed, err)
		}
		for _, h := range page {
			err := w.inTx(ctx, func(tx pgx.Tx) error {
				_, err := billing.FollowHeldBack(ctx, tx, w.cfg.Catalog, h, w.cfg.Now())
				return err
			})
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("lot %d of book %d: %w", h.LotID, h.BookID, err))
			}
			after = h
		}
		if len(page) < heldBackPage {
			return failed
		}
	}
	return errors.Join(failed, ctx.Err())
}
