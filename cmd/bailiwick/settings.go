package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/bailiwick/bailiwick/internal/app"
	"github.com/bailiwick/bailiwick/internal/config"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/telemetry"
)

// settings are what every command that touches the database takes.
type settings struct {
	config.Config `embed:""`
}

func (s settings) logger(c console) (*slog.Logger, error) {
	return telemetry.NewLogger(c.err, s.LogLevel, s.LogFormat)
}

// openDatabase opens the database; one that does not answer is not ready.
func (s settings) openDatabase(ctx context.Context, c console) (*database.DB, error) {
	logger, err := s.logger(c)
	if err != nil {
		return nil, err
	}
	if path, embedded := strings.CutPrefix(s.Database().Reveal(), "sqlite:"); embedded {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, notReadyError{fmt.Errorf("the database's directory (--data-dir): %w", err)}
		}
	}
	db, err := database.Open(ctx, database.Config{
		URL: s.Database().Reveal(), SystemURL: s.DatabaseSystemURL.Reveal(), MaxConns: s.DatabaseMaxConnections, Logger: logger,
	})
	if err != nil {
		return nil, notReadyError{fmt.Errorf("the database does not answer; see --database-url (BAILIWICK_DATABASE_URL): %w", err)}
	}
	return db, nil
}

// openApp puts the process together without running it.
func (s settings) openApp(ctx context.Context, c console) (*app.App, error) {
	// In development a missing key is made, which is not this function's to do.
	if !s.Development {
		if _, _, err := s.Masters(); err != nil {
			return nil, usageError{err}
		}
	}
	// A database that does not answer is told from every other failure here.
	db, err := s.openDatabase(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	logger, err := s.logger(c)
	if err != nil {
		return nil, err
	}
	return app.New(ctx, app.Config{Config: s.Config, Version: version(), Logger: logger})
}
