package localpg

import (
	"context"
	"time"
)

// keep runs for as long as the server is in use: it takes over when an owner
// ends whom we shared with, and starts a server of ours again that has failed.
func (s *Server) keep() {
	defer close(s.kept)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-s.quit
		cancel()
	}()
	for {
		wait := s.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		if err := s.again(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("the local database is down; trying again", "error", err)
			wait = retryEvery
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// watch returns when there may be something to do, and how long to wait after it.
func (s *Server) watch(ctx context.Context) time.Duration {
	s.mu.Lock()
	child := s.child
	s.mu.Unlock()
	if child == nil {
		return watchEvery
	}
	select {
	case <-ctx.Done():
	case <-child.ended:
		s.log.Error("the local database was ended by somebody else; starting it again", "error", child.exit())
	}
	return retryEvery
}

// again starts the server if it is ours to start.
func (s *Server) again(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	s.mu.Lock()
	owner := s.lock != nil
	s.mu.Unlock()
	if !owner {
		taken, err := s.tryOwn(ctx)
		if taken {
			s.log.Info("took over the local database from a process that ended", "dir", s.home.dir)
		}
		return err
	}
	child, err := s.serve(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.child = child
	return nil
}
