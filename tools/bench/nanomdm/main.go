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
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net"
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
	nanohttp "github.com/micromdm/nanomdm/http"
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
	apns := flag.String("apns", "", "host and port to send notifications to, instead of Apple's")
	apnsRoots := flag.String("apns-ca", "", "PEM file with the authorities of -apns")
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
	handler, err := handle(db, *roots, *key, apple{*apns, *apnsRoots})
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
func handle(db *sql.DB, roots, key string, apple apple) (http.Handler, error) {
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
	httpapi.HandleAPIv1("/v1", api, logger, store, pushsvc.New(store, store, nanopush.NewFactory(nanopush.WithNewClient(apple.client), nanopush.WithExpiration(time.Hour)), logger))
	mux.HandleFunc("/version", nlhttp.NewJSONVersionHandler("v0.9.0"))
	return mux, nil
}

// apple is what stands in for Apple's push service.
type apple struct{ addr, roots string }

// client is NanoMDM's own, but for where it connects to and whom it trusts. Apple
// takes the topic and the type from the certificate, and the stand-in from headers.
func (a apple) client(certificate *tls.Certificate) (*http.Client, error) {
	pem, err := os.ReadFile(a.roots)
	if err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(pem)
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		return nil, err
	}
	topic, err := cryptoutil.TopicFromCert(leaf)
	if err != nil {
		return nil, err
	}
	client, err := nanohttp.ClientWithCert(nil, certificate)
	if err != nil {
		return nil, err
	}
	transport, ok := client.Transport.(*http.Transport)
	if !ok {
		return nil, fmt.Errorf("a transport of type %T", client.Transport)
	}
	transport.TLSClientConfig.RootCAs = trusted
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, a.addr)
	}
	if err := nanopush.ForceHTTP2(client); err != nil {
		return nil, err
	}
	client.Transport = named{transport, topic}
	return client, nil
}

// named adds the headers that the stand-in wants.
type named struct {
	http.RoundTripper
	topic string
}

// RoundTrip implements http.RoundTripper. The request is the client's own, which
// nobody else sees.
func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("apns-topic", n.topic)
	r.Header.Set("apns-push-type", "mdm")
	return n.RoundTripper.RoundTrip(r)
}
