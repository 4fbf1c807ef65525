package worker

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/robfig/cron/v3"

	"purser/billing"
)

// Schedules say how often each sweep ticks, as cron specs in UTC. A tick only asks the
// database what is due, so it may come often and may be missed.
type Schedules struct {
	Settle     string // periods that turn, months that begin, lots and holds that end
	Events     string // Stripe's event list, for what never reached us
	Purchases  string // purchases that no event told of
	TopUps     string // automatic top-ups whose time has come
	Expiring   string // credits that are about to end, to be told of
	Unmapped   string // subscriptions whose price the catalogue didn't know
	Partitions string // the inbox's coming months
	Reconcile  string // everything at Stripe, for what no event and no list of events told
}

// DefaultSchedules are what serves most.
var DefaultSchedules = Schedules{
	Settle:     "* * * * *",
	Events:     "*/5 * * * *",
	Purchases:  "*/5 * * * *",
	TopUps:     "* * * * *",
	Expiring:   "*/15 * * * *",
	Unmapped:   "*/15 * * * *",
	Partitions: "17 3 * * *",
	Reconcile:  "43 3 * * *",
}

// ParseSchedule reads a cron spec, in UTC unless it says otherwise. robfig/cron panics
// on some specs and takes others that never fire; both are errors here.
func ParseSchedule(spec string) (schedule cron.Schedule, err error) {
	defer func() {
		if r := recover(); r != nil {
			schedule, err = nil, fmt.Errorf("schedule %q: %v", spec, r)
		}
	}()
	zoned := spec
	if !strings.HasPrefix(spec, "TZ=") && !strings.HasPrefix(spec, "CRON_TZ=") {
		zoned = "CRON_TZ=UTC " + spec
	}
	schedule, err = cron.ParseStandard(zoned)
	if err != nil {
		return nil, fmt.Errorf("schedule %q: %w", spec, err)
	}
	// A fixed instant will do: a spec that fires at all fires within five years of any.
	if schedule.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fmt.Errorf("schedule %q never comes", spec)
	}
	return schedule, nil
}

// addSweeps registers the sweeps' workers and gives their periodic jobs.
func (w *Worker) addSweeps(workers *river.Workers) ([]*river.PeriodicJob, error) {
	s := w.cfg.Schedules
	var jobs []*river.PeriodicJob
	var failed error
	add := func(name, spec, fallback string, args river.JobArgs) {
		if spec == "" {
			spec = fallback
		}
		schedule, err := ParseSchedule(spec)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
			return
		}
		jobs = append(jobs, river.NewPeriodicJob(schedule, func() (river.JobArgs, *river.InsertOpts) { return args, sweepOpts() },
			// Only a comparison of everything isn't made at every start.
			&river.PeriodicJobOpts{ID: name, RunOnStart: name != "reconcile"}))
	}
	add("settle", s.Settle, DefaultSchedules.Settle, billing.SettleArgs{})
	add("events", s.Events, DefaultSchedules.Events, billing.EventSweepArgs{})
	add("purchases", s.Purchases, DefaultSchedules.Purchases, billing.PurchaseSweepArgs{})
	add("top_ups", s.TopUps, DefaultSchedules.TopUps, billing.TopUpSweepArgs{})
	add("expiring", s.Expiring, DefaultSchedules.Expiring, billing.ExpirySweepArgs{})
	add("unmapped", s.Unmapped, DefaultSchedules.Unmapped, billing.MappingSweepArgs{})
	add("partitions", s.Partitions, DefaultSchedules.Partitions, billing.PartitionArgs{})
	add("reconcile", s.Reconcile, DefaultSchedules.Reconcile, billing.ReconcileArgs{})
	if failed != nil {
		return nil, failed
	}
	river.AddWorker(workers, sweep(w, w.SettleDue, billing.SettleArgs{}))
	river.AddWorker(workers, sweep(w, w.SweepEvents, billing.EventSweepArgs{}))
	river.AddWorker(workers, sweep(w, w.SweepPurchases, billing.PurchaseSweepArgs{}))
	river.AddWorker(workers, sweep(w, w.SweepTopUps, billing.TopUpSweepArgs{}))
	river.AddWorker(workers, sweep(w, w.SweepExpiring, billing.ExpirySweepArgs{}))
	river.AddWorker(workers, sweep(w, w.SweepUnmapped, billing.MappingSweepArgs{}))
	river.AddWorker(workers, sweep(w, w.MakePartitions, billing.PartitionArgs{}))
	river.AddWorker(workers, sweep(w, w.ReconcileDue, billing.ReconcileArgs{}))
	return jobs, nil
}

// sweepOpts lets one sweep of a kind wait or run at a time. Uniqueness may cover running
// jobs here: a tick that is dropped meanwhile is made good by the next.
func sweepOpts() *river.InsertOpts {
	return &river.InsertOpts{
		Queue: queueSweeps, MaxAttempts: 1,
		UniqueOpts: river.UniqueOpts{ByState: unended},
	}
}

// unended are the states of jobs that wait or run.
var unended = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled,
}
