package teams

import "purser/ledger"

// settle captures, releases or reverses.
func (d *desk) settle(team *Team, in SpendIn) (*SpendOut, error) {
	state := d.states[in.Of.Book]
	credits, kept := in.Credits, int64(0)
	if in.Op == OpReverse && in.Whole {
		left, _ := state.Book.LeftOf(in.Of.Sequence)
		credits = max(1, left) // of nothing left, one is too many
	}
	if h, ok := state.Book.HoldOf(in.Of.Sequence); ok && in.Op == OpCapture {
		kept = h.Credits
		if in.Whole {
			credits = kept
		}
	}
	do := func(b *ledger.Book, r ledger.Request) (*ledger.Entry, error) {
		switch in.Op {
		case OpCapture:
			return b.Capture(r, in.Of.Sequence, credits)
		case OpRelease:
			return b.Release(r, in.Of.Sequence)
		default:
			return b.Reverse(r, in.Of.Sequence, credits)
		}
	}
	named, r := d.states[team.BookID].Book, in.request(d.at)
	var entry *ledger.Entry
	var err error
	if named.ID == in.Of.Book {
		entry, err = do(named, r)
	} else {
		_, entry, err = ledger.Elsewhere(named, state.Book, r, func(r ledger.Request) (*ledger.Entry, error) { return do(state.Book, r) })
	}
	if err != nil {
		return nil, asRefusal(err)
	}
	out := &SpendOut{Team: team.ID, Answer: d.told(entry)}
	if in.Op == OpCapture {
		out.Answer.Credits, out.Answer.Released = credits, kept-credits
	}
	if m, ok := d.member(team, entry.Holder); ok {
		out.Answer.Available = d.payment(team, *m).available(d.at)
	}
	d.remember(team, in, entry, out)
	return out, nil
}

func unknown(op Op) error {
	if op == OpReverse {
		return refuse(NotFound, "spend_not_found", "there is no such spend here")
	}
	return refuse(NotFound, "hold_not_found", "there is no such hold here")
}

// askedHere tells whether what is to be settled was asked for where the request is made.
// A personal spend of a team's member lies in the user's book, which names the team's as
// its peer; it is the team's to settle, not the user's.
func (d *desk) askedHere(team *Team, in SpendIn) bool {
	state, ok := d.states[in.Of.Book]
	if !ok {
		return false
	}
	peer, paidForTeam := state.Book.PeerOf(in.Of.Sequence)
	if in.Of.Book == team.BookID {
		return !paidForTeam
	}
	return paidForTeam && peer.Book == team.BookID
}
