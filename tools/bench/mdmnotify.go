package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bailiwick/bailiwick/internal/applemdm/push/standin"
	"github.com/bailiwick/bailiwick/tools/bench/load"
	"github.com/bailiwick/bailiwick/tools/bench/mdm"
)

// apple is a stand-in for Apple's push service that both sides send to. It shares
// this process, so that what it costs is counted on neither side.
type apple struct {
	*standin.Server
	roots string // a file with its authority, in PEM
}

func newApple(ctx context.Context, dir string) (*apple, error) {
	server, err := standin.Start(ctx, "127.0.0.1:0", standin.Config{Logger: slog.New(slog.DiscardHandler), Clock: time.Now})
	if err != nil {
		return nil, err
	}
	a := &apple{server, filepath.Join(dir, "apple.pem")}
	if err := os.WriteFile(a.roots, encoded("CERTIFICATE", server.Authority().Raw), 0o600); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return a, nil
}

func encoded(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// certificate makes a push certificate for the topic of every organization, and its
// key, in PEM.
func (a *apple) certificate() (certificate, key []byte, err error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, err
	}
	der, err := a.Issue(private.Public(), mdm.Topic, time.Now().Add(300*24*time.Hour))
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	return encoded("CERTIFICATE", der), encoded("PRIVATE KEY", pkcs8), err
}

const uploadCertificate = `mutation($id: ID!, $certificate: String!, $key: String!) {
  uploadPushCertificate(input: {appleMdmId: $id, certificate: $certificate, privateKey: $key}) { appleMdm { id } } }`

// certify gives both a push certificate, and waits until nothing is left to be sent.
func (d *duel) certify(ctx context.Context) error {
	certificate, key, err := d.apple.certificate()
	if err != nil {
		return err
	}
	store := load.Post(d.nano.child.Addr(), "/v1/pushcert", http.Header{"Authorization": {d.basic}}, slices.Concat(certificate, key))
	if _, err := d.nano.pool.Once(slices.Concat([]byte("PUT"), store[len("POST"):])); err != nil {
		return fmt.Errorf("give NanoMDM a push certificate: %w", err)
	}
	ids := map[string]string{}
	if err := pairs(ctx, d.ours.url, `SELECT id, id FROM apple_mdms`, ids); err != nil {
		return err
	}
	for id := range ids {
		body, err := json.Marshal(map[string]any{"query": uploadCertificate, "variables": map[string]any{
			"id": id, "certificate": string(certificate), "key": string(key),
		}})
		if err != nil {
			return err
		}
		if _, err := d.ours.pool.Once(load.Post(d.ours.child.Addr(), "/graphql", http.Header{"X-Api-Key": {d.ours.key}}, body)); err != nil {
			return fmt.Errorf("give an organization a push certificate: %w", err)
		}
	}
	return d.notified(ctx)
}

// notified waits until every device of ours is notified that is to be.
func (d *duel) notified(ctx context.Context) error {
	return ask(ctx, d.ours.url, func(db *sql.DB) error {
		return until(ctx, db, `SELECT NOT EXISTS (SELECT FROM device_channels WHERE push_wanted_at IS NOT NULL)`)
	})
}

// notify measures how fast devices are told something and notified of it through
// Apple, which NanoMDM does within the call and ours after it: its turn ends when
// every device was notified. A turn is longer than ours waits until it sends what
// has come meanwhile.
func (d *duel) notify(ctx context.Context, devices int) error {
	row := d.row("enqueue and notify", devices)
	row.Beside = true
	calls := max(devices, d.size.told)
	restart := d.restarts(devices)
	for t := warmUp; t < d.size.turns; t++ {
		if err := d.tidy(ctx); err != nil {
			return err
		}
		orders, err := laid(calls, func(i int) ([]byte, error) {
			return d.order(i%devices, strings.ToUpper(uuid.NewString()), ""), nil
		})
		if err != nil {
			return err
		}
		ask := func(pool *load.Pool, requests [][]byte) (load.Run, error) {
			d.apple.Reset()
			run, err := pool.Each(ctx, calls, func(c *load.Conn, i int) error {
				_, err := c.Ask(requests[i%len(requests)])
				return err
			})
			if refused := d.apple.Refused(); err == nil && len(refused) > 0 {
				err = fmt.Errorf("notifications were refused: %v", refused)
			}
			return run, err
		}
		err = d.turn(t, row, [2]func() (load.Run, error){
			func() (load.Run, error) {
				began := time.Now()
				run, err := ask(d.ours.pool, restart)
				if err == nil {
					err = d.notified(ctx)
				}
				run.Took = time.Since(began)
				return run, err
			},
			func() (load.Run, error) { return ask(d.nano.pool, orders) },
		})
		if err != nil {
			return err
		}
		if err := d.done(ctx); err != nil {
			return err
		}
	}
	return nil
}
