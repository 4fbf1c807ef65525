package teams

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// TopUpSetting is what somebody chooses for the automatic top-up of a team's pool or of
// one's own personal account.
type TopUpSetting struct {
	TeamID string // "": of a personal account
	UserID string
	By     Actor

	On              bool
	Threshold       int64
	Pack            string
	CreditsMax      int64
	AmountMax       int64
	Currency        string
	PaymentMethodID string
}

// SetAutoTopUp switches an automatic top-up on or off, or changes it (P2). Admins do so
// for their team, users for themselves.
func SetAutoTopUp(ctx context.Context, tx pgx.Tx, c *billing.Catalog, in TopUpSetting, at instant) (billing.AutoTopUp, error) {
	place, err := findPlace(ctx, tx, in.TeamID, in.UserID, in.By)
	if err != nil {
		return billing.AutoTopUp{}, err
	}
	if err := place.may("set its automatic top-up"); err != nil {
		return billing.AutoTopUp{}, err
	}
	setting, err := billing.SetAutoTopUp(ctx, tx, c, billing.AutoTopUpIn{
		BookID: place.book, TeamID: in.TeamID, UserID: place.userOf(in.TeamID), On: in.On, Threshold: in.Threshold, Pack: in.Pack,
		CreditsMax: in.CreditsMax, AmountMax: in.AmountMax, Currency: in.Currency, PaymentMethodID: in.PaymentMethodID, By: in.By.Name(),
	}, at)
	var bad *billing.SettingError
	if errors.As(err, &bad) {
		return setting, refuseField(bad.Code, bad.Field, "%s", bad.Error())
	}
	if err != nil || in.TeamID == "" {
		return setting, err
	}
	// Looked at again, under the lock: one that has closed buys nothing any more.
	team, err := GetTeam(ctx, tx, in.TeamID)
	if err == nil && team.ClosedAt != nil {
		return setting, errTeamClosed()
	}
	return setting, err
}

// GetAutoTopUp shows an automatic top-up to those who may set it.
func GetAutoTopUp(ctx context.Context, db billing.DB, teamID, userID string, by Actor) (billing.AutoTopUp, error) {
	place, err := findPlace(ctx, db, teamID, userID, by)
	if err != nil {
		return billing.AutoTopUp{}, err
	}
	if place.room != nil && !place.room.role.Manages() {
		return billing.AutoTopUp{}, refuse(Forbidden, "role_forbids", "a %s may not see its automatic top-up", place.room.role)
	}
	setting, err := billing.GetAutoTopUp(ctx, db, place.book)
	if errors.Is(err, billing.ErrNoAutoTopUp) {
		// Nobody ever chose anything: it is off.
		return billing.AutoTopUp{BookID: place.book, TeamID: teamID, UserID: place.userOf(teamID), State: billing.TopUpOff}, nil
	}
	return setting, err
}

// PayerOf says who pays an automatic top-up: the owner of the team, or of the account,
// and with which customer; "" if there is none.
func PayerOf(ctx context.Context, tx pgx.Tx, s billing.AutoTopUp) (userID, customerID string, err error) {
	userID = s.UserID
	if s.TeamID != "" {
		team, err := GetTeam(ctx, tx, s.TeamID)
		if err != nil {
			return "", "", err
		}
		userID = team.OwnerID
	}
	customerID, err = payer(ctx, tx, userID, s.TeamID)
	return userID, customerID, err
}

// PayingCustomer gives the customer with whose payment methods an automatic top-up may be
// paid, to whoever owns it and nobody else: admins set a team's top-up, but the cards are
// the owner's.
func PayingCustomer(ctx context.Context, tx pgx.Tx, teamID, userID string, by Actor) (string, error) {
	place, err := findPlace(ctx, tx, teamID, userID, by)
	if err != nil {
		return "", err
	}
	payer, customer, err := PayerOf(ctx, tx, billing.AutoTopUp{TeamID: teamID, UserID: place.userOf(teamID)})
	switch {
	case err != nil:
		return "", err
	case !by.Backend() && by.User != payer:
		return "", refuse(Forbidden, "role_forbids", "whose cards pay is only for their owner to say")
	case customer == "":
		return "", refuse(NotFound, "customer_not_found", "the user has no customer at Stripe")
	}
	return customer, nil
}

// place is a team's pool or a personal account, and who owns it.
type place struct {
	book  int64
	owner string
	room  *room // of a team: as whoever asks sees it
}

// may refuses those who don't manage the team; of a personal account there is nobody else.
func (p place) may(what string) error {
	if p.room == nil {
		return nil
	}
	return p.room.may(p.room.role.Manages(), what)
}

// userOf is the user of a personal account, and "" of a team's pool.
func (p place) userOf(teamID string) string {
	if teamID != "" {
		return ""
	}
	return p.owner
}

// findPlace finds a pool or a personal account. To those who have nothing to do with it
// it doesn't exist.
func findPlace(ctx context.Context, db billing.DB, teamID, userID string, by Actor) (place, error) {
	if teamID == "" {
		user, err := GetUser(ctx, db, userID)
		if errors.Is(err, ErrUserUnknown) || err == nil && !by.Backend() && by.User != userID {
			return place{}, refuse(NotFound, "user_not_found", "there is no user %q", userID)
		}
		return place{book: user.BookID, owner: user.ID}, err
	}
	team, err := GetTeam(ctx, db, teamID)
	if errors.Is(err, ErrTeamUnknown) {
		return place{}, errTeamUnknown(teamID)
	}
	if err != nil {
		return place{}, err
	}
	r := &room{team: team}
	return place{team.BookID, team.OwnerID, r}, r.findRole(ctx, db, by)
}
