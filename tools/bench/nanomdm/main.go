// Command nanomdm serves NanoMDM v0.9.0's own library, put together as its
// command does, for make bench to be compared with. It is a module of its own,
// so that what it needs never becomes a dependency of the product.
//
// It is tuned where NanoMDM leaves the choice to its operator: connections to
// PostgreSQL are kept, and parameters travel in one round trip; and it logs
// nothing. It makes its tables when it starts, in an empty database.
package main

import (
	"context"
	"crypto/x509"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	_ "github.com/lib/pq" // the driver "postgres"
	nlhttp "github.com/micromdm/nanolib/http"
	"github.com/micromdm/nanolib/log"
	"github.com/micromdm/nanomdm/certverify"
	"github.com/micromdm/nanomdm/cryptoutil"
	httpapi "github.com/micromdm/nanomdm/http/api"
	httpmdm "github.com/micromdm/nanomdm/http/mdm"
	"github.com/micromdm/nanomdm/push/nanopush"
	pushsvc "github.com/micromdm/nanomdm/push/service"
	"github.com/micromdm/nanomdm/service/certauth"
	"github.com/micromdm/nanomdm/service/nanomdm"
	"github.com/micromdm/nanomdm/storage/pgsql"
)

// databaseVariable names the data source, which holds a password.
const databaseVariable = "NANOMDM_BENCH_DATABASE"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "nanomdm:", err)
		os.Exit(1)
	}
}

func run() error {
	addr := flag.String("addr", "", "address to listen on")
	roots := flag.String("ca", "", "PEM file with the authorities of devices")
	key := flag.String("api", "", "password of the API's user, nanomdm")
	connections := flag.Int("connections", 16, "connections to PostgreSQL, all of which are kept")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	db, err := sql.Open("postgres", os.Getenv(databaseVariable))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(*connections)
	db.SetMaxIdleConns(*connections)
	if _, err := db.ExecContext(ctx, pgsql.Schema); err != nil {
		return errors.Join(fmt.Errorf("make the tables: %w", err), db.Close())
	}
	handler, err := handle(db, *roots, *key)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	server := &http.Server{Addr: *addr, Handler: handler, ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = server.Close()
	}
	return errors.Join(err, db.Close())
}

// handle wires the parts as NanoMDM's command does with -checkin and -api.
func handle(db *sql.DB, roots, key string) (http.Handler, error) {
	logger := log.NopLogger
	pem, err := os.ReadFile(roots)
	if err != nil {
		return nil, err
	}
	verifier, err := certverify.NewPoolVerifier(pem, nil, x509.ExtKeyUsageClientAuth)
	if err != nil {
		return nil, err
	}
	store, err := pgsql.New(pgsql.WithDB(db), pgsql.WithLogger(logger))
	if err != nil {
		return nil, err
	}
	core := nanomdm.New(store,
		nanomdm.WithUserAuthenticate(nanomdm.NewUAService(store, false)),
		nanomdm.WithGetToken(nanomdm.NewTokenMux()),
		nanomdm.WithLogger(logger),
	)
	service := certauth.New(core, store, certauth.WithLogger(logger))

	mux := http.NewServeMux()
	devices := nlhttp.NewMWMux(mux)
	devices.Use(func(h http.Handler) http.Handler {
		verify := httpmdm.MdmSignatureVerifierFunc(cryptoutil.VerifyMdmSignature)
		return httpmdm.CertExtractMdmSignatureMiddleware(h, verify, httpmdm.SigLogWithLogger(logger))
	})
	devices.Use(func(h http.Handler) http.Handler { return httpmdm.CertVerifyMiddleware(h, verifier, logger) })
	devices.Handle("/checkin", httpmdm.CheckinHandler(service, logger))
	devices.Handle("/mdm", httpmdm.CommandAndReportResultsHandler(service, logger))

	api := nlhttp.NewMWMux(mux)
	api.Use(func(h http.Handler) http.Handler {
		return nlhttp.NewSimpleBasicAuthHandler(h, "nanomdm", key, "nanomdm")
	})
	httpapi.HandleAPIv1("/v1", api, logger, store, pushsvc.New(store, store, nanopush.NewFactory(), logger))
	mux.HandleFunc("/version", nlhttp.NewJSONVersionHandler("v0.9.0"))
	return mux, nil
}
