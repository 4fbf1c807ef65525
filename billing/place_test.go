package billing_test

import (
	"testing"

	"purser/billing"
)

func TestPlace(t *testing.T) {
	t.Parallel()
	acme, beta := billing.Slot{TeamID: "acme", BookID: 10}, billing.Slot{TeamID: "beta", BookID: 11}
	personal := billing.Slot{BookID: 1}
	taken := func(s billing.Slot) billing.Slot { s.Taken = true; return s }
	for name, c := range map[string]struct {
		in   billing.PlaceIn
		want billing.Slot
	}{
		"B13_NothingKnownIsPersonal": {billing.PlaceIn{Capable: true}, personal},
		"B13_MetadataFirst": {
			billing.PlaceIn{Capable: true, Named: &beta, Earlier: &acme, Owned: []billing.Slot{acme}}, beta,
		},
		"B13_MetadataNamesATeamThatHasOne": {
			billing.PlaceIn{Capable: true, Named: new(taken(beta)), Owned: []billing.Slot{taken(beta)}}, personal,
		},
		"B13_MetadataNamesATeamThatHasOne_AndAnotherIsFree": {
			billing.PlaceIn{Capable: true, Named: new(taken(beta)), Owned: []billing.Slot{acme, taken(beta)}}, acme,
		},
		"B13_TheEndedOnesTeamBeforeTheOnlyFreeOne": {
			billing.PlaceIn{Capable: true, Earlier: &beta, Owned: []billing.Slot{acme, taken(beta)}}, beta,
		},
		"B13_TheEndedOnesTeamHasAnother": {
			billing.PlaceIn{Capable: true, Earlier: new(taken(beta)), Owned: []billing.Slot{taken(beta)}}, personal,
		},
		"B13_TheEndedOneWasPersonal": {
			billing.PlaceIn{Capable: true, Earlier: &personal, Owned: []billing.Slot{acme}}, personal,
		},
		"B13_TheEndedOnesTeam_ButThePlanHasNoTeams": {
			billing.PlaceIn{Earlier: &beta, Owned: []billing.Slot{beta}}, personal,
		},
		"B13_TheOnlyTeam":               {billing.PlaceIn{Capable: true, Owned: []billing.Slot{acme}}, acme},
		"B13_TheOnlyTeamWithoutOne":     {billing.PlaceIn{Capable: true, Owned: []billing.Slot{taken(acme), beta}}, beta},
		"B13_NoneOfTwoFreeTeams":        {billing.PlaceIn{Capable: true, Owned: []billing.Slot{acme, beta}}, personal},
		"B13_AllTeamsHaveOne":           {billing.PlaceIn{Capable: true, Owned: []billing.Slot{taken(acme), taken(beta)}}, personal},
		"B13_APlanWithoutTeamsStaysOut": {billing.PlaceIn{Owned: []billing.Slot{acme}}, personal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.in.Personal = personal
			if got := billing.Place(c.in); got != c.want {
				t.Errorf("it goes to %+v and should go to %+v", got, c.want)
			}
		})
	}
}
