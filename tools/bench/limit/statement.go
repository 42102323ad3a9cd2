package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	_ "github.com/lib/pq"
)

// The statements. Each names its tenant by hand. The limits are written out: a
// prepared statement whose limit is a parameter is planned for a tenth of all rows.
const (
	oneDevice = `SELECT id, name, serial_number, platform, coalesce(os_version, '') FROM devices
		WHERE id = $1 AND provider_id = $2`

	devicesOfOrganization = `SELECT (SELECT count(*) FROM devices WHERE organization_id = $1 AND platform = $2),
		id, name, serial_number, platform, coalesce(model, ''), coalesce(os_version, ''), enrolled, last_seen_at
		FROM devices WHERE organization_id = $1 AND platform = $2 AND provider_id = $3
		ORDER BY name, id LIMIT 50`

	organizationsWithDevices = `SELECT o.id, o.name, d.id, d.name, d.serial_number, d.platform, u.id, u.login
		FROM (SELECT id, name FROM organizations
			WHERE provider_id = $1 AND (name, id) > ($2, $3) ORDER BY name, id LIMIT 20) o
		LEFT JOIN LATERAL (SELECT id, name, serial_number, platform, user_id FROM devices
			WHERE organization_id = o.id ORDER BY name, id LIMIT 10) d ON true
		LEFT JOIN users u ON u.id = d.user_id
		ORDER BY o.name, o.id, d.name, d.id`

	search = `SELECT d.id, d.name, d.serial_number, d.platform, o.id, o.name
		FROM (SELECT id, name, serial_number, platform, organization_id FROM devices
			WHERE provider_id = $1 AND name < $2 AND (name, id) > ($3, $4)
			ORDER BY name, id LIMIT 50) d
		JOIN organizations o ON o.id = d.organization_id
		ORDER BY d.name, d.id`

	updateDevice = `WITH changed AS (
			UPDATE devices SET asset_tag = $3, updated_at = now() WHERE id = $1 AND provider_id = $2
			RETURNING id, name, asset_tag, organization_id
		), logged AS (
			INSERT INTO system_log_events (id, provider_id, organization_id, created_at, updated_at, published,
				event_type, severity, outcome, actor_type, targets)
			SELECT 'evt_' || $4, $2, organization_id, now(), now(), now(), 'updateDevice', 'INFO', 'SUCCESS', 'API_KEY',
				jsonb_build_array(jsonb_build_object('type', 'Device', 'id', id, 'op', 'update'))
			FROM changed
		)
		SELECT id, name, coalesce(asset_tag, '') FROM changed`

	openAlerts = `SELECT a.id, a.type, a.severity, a.title, a.last_occurred_at, o.id, o.name
		FROM (SELECT id, type, severity, title, last_occurred_at, organization_id FROM alerts
			WHERE provider_id = $1 AND resolved_at IS NULL ORDER BY last_occurred_at DESC, id DESC LIMIT 50) a
		JOIN organizations o ON o.id = a.organization_id
		ORDER BY a.last_occurred_at DESC, a.id DESC`
)

// server holds the statements prepared; database/sql prepares them again on
// each of its connections.
type server struct {
	db       *sql.DB
	provider string

	oneDevice, devicesOfOrganization, organizationsWithDevices, search, updateDevice, openAlerts *sql.Stmt
}

func open(ctx context.Context, database, provider string, conns int) (*server, error) {
	u, err := url.Parse(database)
	if err != nil || database == "" {
		return nil, fmt.Errorf("%s holds no URL", databaseVariable)
	}
	query := u.Query()
	query.Set("binary_parameters", "yes")
	u.RawQuery = query.Encode()
	db, err := sql.Open("postgres", u.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	s := &server{db: db, provider: provider}
	for _, prepare := range []struct {
		into **sql.Stmt
		text string
	}{
		{&s.oneDevice, oneDevice}, {&s.devicesOfOrganization, devicesOfOrganization},
		{&s.organizationsWithDevices, organizationsWithDevices}, {&s.search, search},
		{&s.updateDevice, updateDevice}, {&s.openAlerts, openAlerts},
	} {
		if *prepare.into, err = db.PrepareContext(ctx, prepare.text); err != nil { //nolint:sqlclosecheck // the database's Close closes them
			return nil, errors.Join(fmt.Errorf("%s: %w", prepare.text, err), db.Close())
		}
	}
	return s, nil
}
