package api

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// AutoTopUp is the automatic top-up of a pool or a personal account, and where it stands.
type AutoTopUp struct {
	TeamID             string     `json:"team_id,omitempty" doc:"Absent of a personal account"`
	UserID             string     `json:"user_id,omitempty" doc:"Absent of a team's pool"`
	On                 bool       `json:"on"`
	Threshold          int64      `json:"threshold" doc:"It buys when this many credits or fewer are available"`
	Pack               string     `json:"pack" doc:"What it buys, as many as bring what is available above the threshold; empty if nobody ever chose one"`
	CreditsPerMonthMax int64      `json:"credits_per_month_max" doc:"The most that it buys in a calendar month"`
	AmountPerMonthMax  int64      `json:"amount_per_month_max" doc:"The most that it spends in a calendar month, in the currency's smallest unit"`
	Currency           string     `json:"currency"`
	PaymentMethodID    string     `json:"payment_method_id,omitempty" doc:"At Stripe; absent: what pays the subscription, or the customer's default"`
	State              string     `json:"state" enum:"off,ready,buying,action_required,retrying,waiting,capped,suspended" doc:"ready: there are credits enough. buying: a purchase is in flight. action_required: somebody has to authenticate the payment, on the purchase's page. retrying: the last purchase was declined. waiting: something has to change first. capped: what it may buy this month is bought. suspended: until the card is changed, or it is switched on again"`
	Reason             string     `json:"reason,omitempty" doc:"Why it is in that state" example:"subscription_past_due"`
	Sentence           string     `json:"sentence" doc:"State and reason, for people"`
	Helps              []string   `json:"helps" doc:"What would let it go on, if something has to be done" example:"[\"change_card\"]"`
	PurchaseID         string     `json:"purchase_id,omitempty" doc:"The purchase in flight"`
	Declines           int        `json:"declines" doc:"How many purchases in a row were declined; the fourth suspends"`
	NextCheckAt        *time.Time `json:"next_check_at" doc:"When it decides again by itself; null: when credits run low"`
	ChangedBy          string     `json:"changed_by,omitempty"`
	ChangedAt          *time.Time `json:"changed_at"`
}

func viewAutoTopUp(s billing.AutoTopUp) AutoTopUp {
	v := AutoTopUp{
		TeamID: s.TeamID, UserID: s.UserID, On: s.On, Threshold: s.Threshold, Pack: s.Pack, CreditsPerMonthMax: s.CreditsMax,
		AmountPerMonthMax: s.AmountMax, Currency: s.Currency, PaymentMethodID: s.PaymentMethodID, State: s.State, Reason: s.Reason,
		Sentence: s.Sentence(), Helps: s.Helps(), Declines: s.Declines, NextCheckAt: utcOrNil(s.CheckAt), ChangedBy: s.ChangedBy,
	}
	if s.InFlight != nil {
		v.PurchaseID = *s.InFlight
	}
	if !s.ChangedAt.IsZero() {
		v.ChangedAt = utcOrNil(&s.ChangedAt)
	}
	return v
}

// AutoTopUpBody says how it is to be from now on.
type AutoTopUpBody struct {
	On                 bool   `json:"on" doc:"Switching it on decides at once whether to buy, and ends a suspension"`
	Threshold          int64  `json:"threshold" minimum:"0" maximum:"1000000000000" doc:"0: when nothing is left"`
	Pack               string `json:"pack" minLength:"1" maxLength:"200" doc:"The pack's name in the catalogue"`
	CreditsPerMonthMax int64  `json:"credits_per_month_max" minimum:"1" maximum:"1000000000000"`
	AmountPerMonthMax  int64  `json:"amount_per_month_max" minimum:"1" maximum:"1000000000000" doc:"In the currency's smallest unit"`
	Currency           string `json:"currency,omitempty" maxLength:"3" pattern:"^[a-z]{3}$" doc:"What the pack is paid in; needed only if the catalogue doesn't say"`
	PaymentMethodID    string `json:"payment_method_id,omitempty" maxLength:"255" doc:"At Stripe: pm_…"`
}

func (b AutoTopUpBody) setting() teams.TopUpSetting {
	return teams.TopUpSetting{
		On: b.On, Threshold: b.Threshold, Pack: b.Pack, CreditsMax: b.CreditsPerMonthMax, AmountMax: b.AmountPerMonthMax,
		Currency: b.Currency, PaymentMethodID: b.PaymentMethodID,
	}
}

// toppingUp registers the automatic top-up of one kind of account.
func toppingUp[G, P any](s *Server, of, path string, at place[P], got func(*G) (teamID, userID string), put func(*P) (teams.TopUpSetting, AutoTopUpBody)) {
	read(s, spec{
		id: "get-" + of + "-auto-top-up", method: http.MethodGet, path: path, tag: "Purchases", scopes: reads,
		summary: "Get the automatic top-up and where it stands", refusals: []int{http.StatusNotFound},
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *G) (AutoTopUp, error) {
		teamID, userID := got(in)
		setting, err := teams.GetAutoTopUp(ctx, tx, teamID, userID, c.by)
		return viewAutoTopUp(setting), err
	})
	write(s, spec{
		id: "set-" + of + "-auto-top-up", method: http.MethodPut, path: path, tag: "Purchases", scopes: manage,
		summary:  "Switch the automatic top-up on or off, or change it",
		doc:      "It buys on an invoice of its own when credits run low, never more than one purchase at a time and never more than both caps allow.",
		refusals: []int{http.StatusNotFound, http.StatusConflict},
	}, at, func(ctx context.Context, tx pgx.Tx, c *call, in *P) (AutoTopUp, error) {
		place, body := put(in)
		choice := body.setting()
		choice.TeamID, choice.UserID, choice.By = place.TeamID, place.UserID, c.by
		setting, err := teams.SetAutoTopUp(ctx, tx, s.cfg.Catalog, choice, c.at)
		if err != nil {
			return AutoTopUp{}, err
		}
		return viewAutoTopUp(setting), s.cfg.StageTopUps(ctx, tx, []int64{setting.BookID})
	})
}

func (s *Server) registerAutoTopUps() {
	type getTeam struct {
		Reading
		TeamPath
	}
	type putTeam struct {
		Writing
		TeamPath
		Body AutoTopUpBody
	}
	toppingUp(s, "team", "/v1/teams/{team}/auto-top-up", teamPlace[putTeam],
		func(in *getTeam) (string, string) { return in.TeamID, "" },
		func(in *putTeam) (teams.TopUpSetting, AutoTopUpBody) {
			return teams.TopUpSetting{TeamID: in.TeamID}, in.Body
		})
	type getUser struct {
		Reading
		UserPath
	}
	type putUser struct {
		Writing
		UserPath
		Body AutoTopUpBody
	}
	toppingUp(s, "user", "/v1/users/{user}/auto-top-up", userPlace[putUser],
		func(in *getUser) (string, string) { return "", in.UserID },
		func(in *putUser) (teams.TopUpSetting, AutoTopUpBody) {
			return teams.TopUpSetting{UserID: in.UserID}, in.Body
		})
}
