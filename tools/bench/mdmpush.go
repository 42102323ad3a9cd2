package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/bailiwick/bailiwick/internal/applemdm/push"
	"github.com/bailiwick/bailiwick/internal/applemdm/push/standin"
	"github.com/bailiwick/bailiwick/tools/bench/mdm"
)

// mdmPush notifies a fleet through a stand-in for Apple, which shares the
// process, each organization with its own certificate. The database, where it
// is kept who is to be notified, has no part in it.
func mdmPush(ctx context.Context, size mdmSize, v *verdict) (err error) {
	apple, err := standin.Start(ctx, "127.0.0.1:0", standin.Config{Logger: slog.New(slog.DiscardHandler), Clock: time.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, apple.Close()) }()
	sender, err := push.New(push.Config{Host: apple.URL(), Roots: apple.Roots(), Clock: time.Now})
	if err != nil {
		return err
	}
	defer sender.Close()
	batches := make([]push.Batch, size.pushing)
	for i := range batches {
		topic := mdm.Topic + "." + strconv.Itoa(i)
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		der, err := apple.Issue(key.Public(), topic, time.Now().Add(time.Hour))
		if err != nil {
			return err
		}
		batches[i].Certificate = push.Certificate{Tenant: strconv.Itoa(i), TLS: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}
		for j := range size.pushed / size.pushing {
			token := sha256.Sum256([]byte(topic + strconv.Itoa(j)))
			batches[i].Notifications = append(batches[i].Notifications, push.Notification{Token: token[:], Magic: "magic", Topic: topic})
		}
	}
	began := time.Now()
	accepted := 0
	for _, outcomes := range sender.SendMany(ctx, batches) {
		for _, o := range outcomes {
			if o.Status != push.Accepted {
				return fmt.Errorf("a notification was answered %s: %w", o.Reason, o.Err)
			}
			accepted++
		}
	}
	took := time.Since(began)
	opened, _ := apple.Connections()
	fmt.Println("\n| push | organizations | devices | a second | connections opened | |")
	fmt.Println("|---|--:|--:|--:|--:|---|")
	fmt.Printf("| to the whole fleet | %d | %d | %.0f | %d | %s |\n", size.pushing, accepted,
		float64(accepted)/took.Seconds(), opened, v.mark(opened == size.pushing))
	return nil
}
