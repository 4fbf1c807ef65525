package teams

import (
	"errors"
	"time"

	"purser/billing"
	"purser/ledger"
)

// draw spends or holds: from the accounts that the member's access names, or, if the
// team lets its members fall back, all of it from the personal account.
func (d *desk) draw(team *Team, in SpendIn) (*SpendOut, error) {
	m, _ := d.member(team, in.UserID)
	if in.Op == OpHold {
		if in.TTL == 0 {
			in.TTL = HoldDefault
		}
		if in.TTL < time.Second || in.TTL > HoldMax {
			return nil, refuseField("hold_too_long", "expires_in", "a hold lives between one second and 24 hours")
		}
	}
	p := d.payment(team, *m)
	entry, err := d.drawAs(d.states[team.BookID], p, in)
	var short *ledger.InsufficientError
	if errors.As(err, &short) {
		return d.fallBack(team, m, p, in)
	}
	if err != nil {
		return nil, asRefusal(err)
	}
	d.tellLimit(team, m, p)
	return d.answer(team, m, in, entry, false), nil
}

func (d *desk) payment(team *Team, m Member) payment {
	state := d.states[team.BookID]
	_, end, _ := state.CurrentPeriod(d.at)
	drawn := state.Book.DrawnBy(m.UserID)
	var personal *ledger.Book
	if s := d.states[d.users[m.UserID].BookID]; s != nil {
		personal = s.Book
	}
	return pay(*team, m, state.Book, personal, Drawn{Window: drawn.Window, Total: drawn.Total}, end)
}

func (d *desk) drawAs(state *billing.State, p payment, in SpendIn) (*ledger.Entry, error) {
	do := func(b *ledger.Book, r ledger.Request) (*ledger.Entry, error) {
		if in.Op == OpHold {
			return b.Hold(r, ledger.HoldIn{Credits: in.Credits, Payers: p.payers, ExpiresAt: d.at.Add(in.TTL)})
		}
		return b.Spend(r, ledger.SpendIn{Credits: in.Credits, Payers: p.payers})
	}
	r := in.request(d.at)
	if !p.personal {
		return do(state.Book, r)
	}
	personal := d.states[d.users[in.UserID].BookID].Book
	if personal == state.Book { // the request names the personal account itself
		return do(personal, r)
	}
	_, paid, err := ledger.Elsewhere(state.Book, personal, r, func(r ledger.Request) (*ledger.Entry, error) { return do(personal, r) })
	return paid, err
}

func (in SpendIn) request(at time.Time) ledger.Request {
	return ledger.Request{
		Key: ledgerKey(in.Key), Hash: in.Hash, Actor: in.By.Name(), At: at, Holder: in.UserID, Memo: in.Memo, Reference: in.Reference, Metadata: in.Metadata,
	}
}

// fallBack lets a member who is out of credits pay personally, if the team wants that:
// the access type changes in the same transaction and the whole spend is personal (T7).
func (d *desk) fallBack(team *Team, m *Member, p payment, in SpendIn) (*SpendOut, error) {
	refusal := p.short(*team, in.Credits, d.at, m.Access != PersonalAccess)
	if !team.FallBack || p.personal {
		return nil, refusal
	}
	own := *m
	own.Access = PersonalAccess
	personal := d.payment(team, own)
	entry, err := d.drawAs(d.states[team.BookID], personal, in)
	var short *ledger.InsufficientError
	if errors.As(err, &short) {
		return nil, refusal
	}
	if err != nil {
		return nil, asRefusal(err)
	}
	d.states[team.BookID].Tell(billing.NoticeFellBack, m.UserID, fellBack(*m, byFallback))
	m.goPersonal(byFallback)
	d.changed[memberKey{m.TeamID, m.UserID}] = true
	return d.answer(team, m, in, entry, true), nil
}

// available is what can be drawn with this payment.
func (p payment) available(at time.Time) int64 {
	var sum int64
	for _, payer := range p.payers {
		n := payer.Account.Available(at)
		if payer.Max >= 0 {
			n = min(n, payer.Max)
		}
		sum += n
	}
	return sum
}

func (d *desk) answer(team *Team, m *Member, in SpendIn, entry *ledger.Entry, fellBack bool) *SpendOut {
	out := &SpendOut{Team: team.ID, Answer: d.told(entry)}
	out.Answer.Available, out.Answer.FellBack = d.payment(team, *m).available(d.at), fellBack
	d.remember(team, in, entry, out)
	return out
}
