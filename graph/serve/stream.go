package serve

import (
	"context"
	"errors"
)

var (
	errShutdown = errors.New("serve: the server shuts down")
	errRevoked  = errors.New("serve: the credential no longer holds")
	errSlow     = errors.New("serve: the client does not read")
)

// enter admits a stream. Its context ends with errShutdown as cause when the
// server does. The caller calls leave at the end, if admitted.
func (s *Server) enter(ctx context.Context) (stream context.Context, cancel context.CancelCauseFunc, leave func(), admitted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, nil, false
	}
	s.streams.Add(1)
	stream, cancel = context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.life, func() { cancel(context.Cause(s.life)) })
	return stream, cancel, func() {
		stop()
		cancel(context.Canceled)
		s.streams.Done()
	}, true
}

// watch ends a stream, with errRevoked as cause, once its credential no longer
// holds.
func (s *Server) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	revoked := s.config.Stream.Revoked(ctx)
	if revoked == nil {
		return
	}
	go func() {
		select {
		case <-revoked:
			cancel(errRevoked)
		case <-ctx.Done():
		}
	}()
}
