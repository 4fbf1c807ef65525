package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"purser/worker"
)

// commands is the command line. Flags and environment variables are the same settings:
// a flag's env tag names its variable.
type commands struct {
	ShowHelp showHelp `name:"help" short:"h" help:"Show help."`

	Serve   serveCommand   `cmd:"" help:"Receive Stripe's events and work them, until a signal comes."`
	Migrate migrateCommand `cmd:"" help:"Bring the database to this binary's version."`
	Health  healthCommand  `cmd:"" help:"Ask the service on this machine whether it is ready."`
	Audit   auditCommand   `cmd:"" help:"Prove that every balance is the sum of its postings. Exits 1 if one isn't."`

	Reconcile reconcileCommand `cmd:"" help:"Compare every subscription, paid top-up and refund with Stripe, and mend what differs if asked to. Exits 3 if a difference is left."`

	Catalog struct {
		Check catalogCheckCommand `cmd:"" help:"Check a catalogue of plans and packs, and show what it means."`
	} `cmd:"" help:"Plans and packs."`
	User struct {
		Set  userSetCommand  `cmd:"" help:"Make a user, or change one's attributes."`
		Show userShowCommand `cmd:"" help:"Show a user with customers and teams."`
		List userListCommand `cmd:"" help:"List users."`

		Suspend userSuspendCommand `cmd:"" help:"Stop all spending of a user. Nothing is lost."`
		Resume  userResumeCommand  `cmd:"" help:"Let a suspended user go on."`
	} `cmd:"" help:"Users of the product."`
	Team struct {
		Create teamCreateCommand `cmd:"" help:"Make a team, and give it its owner's oldest subscription that has none."`
		Show   teamShowCommand   `cmd:"" help:"Show a team with its subscriptions."`
		List   teamListCommand   `cmd:"" help:"List teams."`
		Set    teamSetCommand    `cmd:"" help:"Change a team's attributes."`

		Close    teamCloseCommand    `cmd:"" help:"Close a team for good: what is its owner's goes home, the rest expires."`
		HandOver teamHandOverCommand `cmd:"" help:"Hand a team over to another member."`
		Suspend  teamSuspendCommand  `cmd:"" help:"Stop all spending of a team. Nothing is lost."`
		Resume   teamResumeCommand   `cmd:"" help:"Let a suspended team go on."`
	} `cmd:"" help:"Teams."`
	Member struct {
		List       memberListCommand       `cmd:"" help:"List a team's members with their figures."`
		Show       memberShowCommand       `cmd:"" help:"Say which features and which credits a member has."`
		Explain    memberExplainCommand    `cmd:"" help:"Say why a member has what a member has, and what comes next."`
		Invite     memberInviteCommand     `cmd:"" help:"Invite somebody by e-mail: prints the link for the mail."`
		Set        memberSetCommand        `cmd:"" help:"Change members' role, access and limit, all or nothing."`
		Remove     memberRemoveCommand     `cmd:"" help:"Take members out of the team."`
		GoPersonal memberGoPersonalCommand `cmd:"" help:"Let a member pay personally from now on."`
		GoBack     memberGoBackCommand     `cmd:"" help:"Let a member return to the access that an admin gave."`
	} `cmd:"" help:"Members of teams."`
	Invitation struct {
		List    invitationListCommand    `cmd:"" help:"List a team's invitations, newest first."`
		Accept  invitationAcceptCommand  `cmd:"" help:"Accept an invitation for a user."`
		Decline invitationDeclineCommand `cmd:"" help:"Decline an invitation."`
		Resend  invitationResendCommand  `cmd:"" help:"Give an invitation a new token and a new week."`
		Revoke  invitationRevokeCommand  `cmd:"" help:"Take an invitation back."`
	} `cmd:"" help:"Invitations to teams."`
	Spend   spendCommand   `cmd:"" help:"Spend a member's credits."`
	Reverse reverseCommand `cmd:"" help:"Give a spend back, whole or in part."`
	Hold    struct {
		List    holdListCommand    `cmd:"" help:"List a team's open holds, the first to end first."`
		Make    holdMakeCommand    `cmd:"" help:"Hold a member's credits for a while."`
		Capture holdCaptureCommand `cmd:"" help:"Use a hold, whole or in part."`
		Release holdReleaseCommand `cmd:"" help:"Give a hold back."`
	} `cmd:"" help:"Credits that are held."`
	Allocate   allocateCommand   `cmd:"" help:"Set credits of the pool aside for a member."`
	Reclaim    reclaimCommand    `cmd:"" help:"Take a member's unspent allocation back into the pool."`
	Transfer   transferCommand   `cmd:"" help:"Move credits from a member, or the pool, to a member."`
	Contribute contributeCommand `cmd:"" help:"Put a user's own credits into a team's pool."`
	Usage      usageCommand      `cmd:"" help:"Say what members used, by member or by day."`
	History    historyCommand    `cmd:"" help:"List what happened to credits, newest first, or all of it as CSV."`
	Customer   struct {
		Link customerLinkCommand `cmd:"" help:"Make a user the owner of a Stripe customer, and work the events that waited for it."`
		List customerListCommand `cmd:"" help:"List linked customers."`
	} `cmd:"" help:"Stripe's customers and whose they are."`
	Pool struct {
		Show    poolShowCommand    `cmd:"" help:"Show a team's pool or a user's personal account, with its lots and when they end."`
		Explain poolExplainCommand `cmd:"" help:"Say why a pool is what it is and what comes next."`
		Buy     poolBuyCommand     `cmd:"" help:"Open a page at Stripe on which a pack can be bought, and print its address."`
	} `cmd:"" help:"Credits of a team or a user."`
	TopUp struct {
		Show topUpShowCommand `cmd:"" help:"Show an automatic top-up: where it stands, why, and what would help."`
		Set  topUpSetCommand  `cmd:"" help:"Switch an automatic top-up on, or change it. It decides within a minute whether to buy."`
		Off  topUpOffCommand  `cmd:"" help:"Switch an automatic top-up off."`
	} `cmd:"" help:"Credits bought automatically when they run low."`
	Bonus struct {
		Grant bonusGrantCommand `cmd:"" help:"Grant bonus credits."`
		Take  bonusTakeCommand  `cmd:"" help:"Take unspent bonus credits back."`
	} `cmd:"" help:"Credits that an operator gives."`
	Subscriptions struct {
		List     subscriptionsListCommand     `cmd:"" help:"List subscriptions."`
		Assign   subscriptionsAssignCommand   `cmd:"" help:"Put a subscription of the team's owner into the team, with its credits."`
		Unassign subscriptionsUnassignCommand `cmd:"" help:"Take a team's subscription back to its owner, with its credits."`
	} `cmd:"" help:"Subscriptions as they were last fetched from Stripe."`
	Purchases struct {
		List purchasesListCommand `cmd:"" help:"List packs that are being bought or were bought, newest first."`
	} `cmd:"" help:"Packs bought."`
	Notices struct {
		List noticesListCommand `cmd:"" help:"List what was told, the oldest first: of a team, of a user's personal account, or of all."`
	} `cmd:"" help:"What somebody should hear of."`
	Stripe struct {
		Setup stripeSetupCommand `cmd:"" help:"Make what the catalogue needs at Stripe: products, prices, billing portal, webhook endpoint. Deletes nothing; again changes nothing. Exits 3 if something is left that only a person can mend."`
		Check stripeCheckCommand `cmd:"" help:"Say what the Stripe account lacks or has otherwise, and what the key may not do. Changes nothing. Exits 3 if there is something."`
	} `cmd:"" help:"The account at Stripe."`
	Keys struct {
		Create keysCreateCommand `cmd:"" help:"Make an API key, and print it this once."`
		List   keysListCommand   `cmd:"" help:"List API keys, newest first."`
		Revoke keysRevokeCommand `cmd:"" help:"End an API key."`
	} `cmd:"" help:"Keys with which a backend calls the API."`
	Events struct {
		List   eventsListCommand   `cmd:"" help:"List events, newest first."`
		Show   eventsShowCommand   `cmd:"" help:"Show an event and the body that Stripe sent."`
		Replay eventsReplayCommand `cmd:"" help:"Work events again, by id or by filter."`
	} `cmd:"" help:"The inbox of Stripe's events."`

	Demo demoCommand `cmd:"" help:"Tell a month of a team's life, with a database and a Stripe of its own."`
	Dev  struct {
		Up      devUpCommand      `cmd:"" default:"withargs" help:"Tell the demo's story and stay, to look around."`
		Advance devAdvanceCommand `cmd:"" help:"Move the clock of a running purser dev."`
	} `cmd:"" help:"A purser to try things with."`
	Localstripe localStripeCommand `cmd:"" help:"Run the local Stripe alone, on this machine only: a Stripe in which no money moves."`

	Bench struct {
		Spends benchSpendsCommand `cmd:"" help:"Measure spends over HTTP with and without gathering, on a database of its own, and audit them. Exits 1 if one failed."`
		Holds  benchHoldsCommand  `cmd:"" help:"Measure holds with their captures in the same way."`
		Events benchEventsCommand `cmd:"" help:"Measure events: how fast they are accepted, how soon a pool is right, and how often Stripe is asked in a burst."`
		Turn   benchTurnCommand   `cmd:"" help:"Measure the month's turn of many teams, against the same rows by bare SQL."`
		Read   benchReadCommand   `cmd:"" help:"Measure reads of a pool with a long history, against one without."`
		Audit  benchAuditCommand  `cmd:"" help:"Measure the audit, against a bare sum over the same postings."`
		Growth benchGrowthCommand `cmd:"" help:"Measure how the ledger grows: sizes, depths of indexes, vacuum, and spends behind a long past."`
		Fair   benchFairCommand   `cmd:"" help:"Measure how long a quiet pool waits beside a loud one, and what becomes of more spends than can be done."`
		Load   benchLoadCommand   `cmd:"" hidden:"" help:"The load generator of purser bench."`
		Serve  benchServeCommand  `cmd:"" hidden:"" help:"One of several servers of purser bench."`
		Stripe benchStripeCommand `cmd:"" hidden:"" help:"The local Stripe of purser bench events."`
	} `cmd:"" help:"Measurements on this machine."`
	Version versionCommand `cmd:"" help:"Print the version."`
	Help    helpCommand    `cmd:"" help:"Show every command, flag and environment variable."`
}

// commandLine is the parser with the environment that its settings come from.
type commandLine struct {
	commands *commands
	parser   *kong.Kong
	env      func(string) string
	envs     map[*kong.Value]string // the variable of each flag that has one
}

// errHelped ends a run that only showed a command's help.
var errHelped = errors.New("help was shown")

// showHelp is the --help flag.
type showHelp bool

// BeforeReset shows the help before anything is checked. kong's own flag would end the
// process.
func (showHelp) BeforeReset(ctx *kong.Context) error {
	return errors.Join(ctx.PrintUsage(false), errHelped)
}

func newCommandLine(stdout io.Writer, env func(string) string) (*commandLine, error) {
	l := &commandLine{commands: &commands{}, env: env, envs: map[*kong.Value]string{}}
	parser, err := kong.New(l.commands,
		kong.Name("purser"), kong.Description("purser keeps the credits of teams that pay by the seat through Stripe."),
		kong.NoDefaultHelp(), kong.Writers(stdout, io.Discard), kong.Exit(func(int) {}),
		kong.ValueFormatter(l.describe), kong.Resolvers(kong.ResolverFunc(l.resolve)), defaults(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)
	if err != nil {
		return nil, fmt.Errorf("reading the command line's own description: %w", err)
	}
	l.parser = parser
	// kong reads the process's environment. Taken from it, the variables come in through
	// resolve only, and an empty one counts as not set.
	err = kong.Visit(parser.Model.Node, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok && len(flag.Tag.Envs) > 0 {
			l.envs[flag.Value] = flag.Tag.Envs[0]
			flag.Tag.Envs, flag.Envs = nil, nil
		}
		return next(nil)
	})
	return l, err
}

// defaults are default values that packages of ours decide.
func defaults() kong.Vars {
	return kong.Vars{
		"settle": worker.DefaultSchedules.Settle, "events": worker.DefaultSchedules.Events,
		"purchases": worker.DefaultSchedules.Purchases, "top_ups": worker.DefaultSchedules.TopUps, "expiring": worker.DefaultSchedules.Expiring,
		"unmapped": worker.DefaultSchedules.Unmapped, "partitions": worker.DefaultSchedules.Partitions,
		"reconcile": worker.DefaultSchedules.Reconcile,
	}
}

// describe is a flag's help text with its variable.
func (l *commandLine) describe(value *kong.Value) string {
	if name := l.envs[value]; name != "" {
		return strings.TrimSuffix(value.Help, ".") + " (" + name + ")."
	}
	return value.Help
}

// resolve looks a flag up that the command line doesn't name.
func (l *commandLine) resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if text := l.env(l.envs[flag.Value]); text != "" && l.envs[flag.Value] != "" {
		return text, nil
	}
	return nil, nil
}

func (l *commandLine) run(ctx context.Context, p *program, args []string) error {
	parsed, err := l.parser.Parse(args)
	var wrong *kong.ParseError
	switch {
	case errors.Is(err, errHelped):
		return nil
	case errors.As(err, &wrong):
		return &usageError{what: l.place(wrong), see: help(wrong.Context)}
	case err != nil:
		return err
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return alone(parsed.Run(p))
}

// alone takes an error out of a join of one, which is how kong gives a command's error.
func alone(err error) error {
	for {
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok || len(joined.Unwrap()) != 1 {
			return err
		}
		err = joined.Unwrap()[0]
	}
}

// help names the command that helps on.
func help(at *kong.Context) string {
	if at != nil && at.Selected() != nil {
		return at.Selected().FullPath() + " --help"
	}
	return "purser help"
}

// place adds to an error about a flag the variable that the value came from.
func (l *commandLine) place(wrong error) string {
	text := wrong.Error()
	for value, name := range l.envs {
		if rest, ok := strings.CutPrefix(text, "--"+value.Name); ok && l.env(name) != "" && !strings.HasPrefix(rest, "-") {
			return "--" + value.Name + " (" + name + ")" + rest
		}
	}
	return text
}

// hide blots out every secret in an error's text. No error should hold one; but errors
// come from many libraries, and a key that got into a log can't be taken back.
func (l *commandLine) hide(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	clean := text
	_ = kong.Visit(l.parser.Model.Node, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			for _, s := range secretsIn(flag.Target.Interface(), l.env(l.envs[flag.Value])) {
				clean = blot(clean, s)
			}
		}
		return next(nil)
	})
	if clean == text {
		return err
	}
	return &hiddenError{error: err, text: clean}
}

// hiddenError is an error that reads as its text with the secrets blotted out.
type hiddenError struct {
	error
	text string
}

func (e *hiddenError) Error() string { return e.text }
func (e *hiddenError) Unwrap() error { return e.error }
