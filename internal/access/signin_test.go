package access_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/internal/access"
	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

func from(ctx context.Context, address string) context.Context {
	return audit.WithClient(ctx, audit.Client{Address: address, UserAgent: "test", RequestID: "req"})
}

// log lists a provider's sign-in events.
func (w *world) log(m msp, operation string) []*ent.SystemLogEvent {
	w.t.Helper()
	ctx := tenancy.With(w.t.Context(), tenancy.ForProvider(tenancy.ServicePrincipal("test"), m.provider.ID))
	return w.db.Client().SystemLogEvent.Query().Where(systemlogevent.EventType(operation)).
		Order(systemlogevent.ByID()).AllX(ctx)
}

func TestSignIn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := from(t.Context(), "192.0.2.1")
		in, err := w.service.SignIn(ctx, "  OWNER@acme.example ", password)
		if err != nil || in.Session == nil || in.TOTPToken != "" {
			t.Fatalf("%+v, %v", in, err)
		}
		c := w.mustAs(in.Session.Access, "")
		if c.ProviderID() != w.acme.provider.ID || c.AdministratorID() != w.acme.owner.ID || c.Principal().Name != "owner@acme.example" || !c.Scope().All() {
			t.Errorf("caller %v, scope %v", c.Principal(), c.Scope().Key())
		}
		suspended := w.hire(w.acme, "gone@acme.example", access.NewAdministrator{RoleID: w.acme.roles[policy.ReadOnly]})
		err = gate(t.Context(), c, "access.change_administrator", func(ctx context.Context) error {
			_, err := w.service.SuspendAdministrator(ctx, suspended.ID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		words := map[string]bool{}
		for _, attempt := range [][2]string{
			{"owner@acme.example", "wrong"}, {"nobody@acme.example", password}, {suspended.Email, password},
			{"", ""}, {"owner@acme.example", strings.Repeat("x", 1<<12)}, {strings.Repeat("x", 1<<12), password},
		} {
			_, err := w.service.SignIn(ctx, attempt[0], attempt[1])
			wantCode(t, err, fault.Unauthenticated, attempt[0])
			words[err.Error()] = true
		}
		if len(words) != 1 {
			t.Errorf("refusals read differently: %v", words)
		}
		events := w.log(w.acme, "signIn")
		outcomes := map[systemlogevent.Outcome]int{}
		for _, e := range events {
			outcomes[e.Outcome]++
			if e.ClientAddress == "192.0.2.1" && e.RequestID != "req" || len(e.Targets) != 1 {
				t.Errorf("event %v", e)
			}
		}
		if outcomes[systemlogevent.OutcomeFailure] != 3 || len(w.log(w.globex, "signIn")) != 0 {
			t.Errorf("events %v", outcomes)
		}
	})
}

func TestBadCredentials(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tokens := w.signIn(w.acme.owner.Email)
		cases := map[string]access.Credentials{
			"none":            {},
			"both":            {Bearer: tokens.Access, APIKey: "bwk_x"},
			"rubbish":         {Bearer: "rubbish"},
			"truncated":       {Bearer: tokens.Access[:len(tokens.Access)-1]},
			"a refresh token": {Bearer: tokens.Refresh},
			"rubbish key":     {APIKey: "bwk_000000000000_0000000000000000000000000000000000000000000000000"},
		}
		for name, given := range cases {
			_, err := w.service.Authenticate(t.Context(), given)
			wantCode(t, err, fault.Unauthenticated, name)
		}
		w.pass(11 * time.Minute)
		_, err := w.as(tokens.Access, "")
		wantCode(t, err, fault.Unauthenticated, "an expired token")
		if _, err := access.From(t.Context()); fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("nobody: %v", err)
		}
	})
}

func TestRefresh(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first, bystander := w.signIn(w.acme.owner.Email), w.signIn(w.globex.owner.Email)
		w.pass(11 * time.Minute)
		second, err := w.service.Refresh(t.Context(), first.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		w.mustAs(second.Access, "")
		_, err = w.service.Refresh(t.Context(), first.Refresh)
		wantCode(t, err, fault.Unauthenticated, "a token used twice")
		_, err = w.as(second.Access, "")
		wantCode(t, err, fault.Unauthenticated, "the session that it ended")
		_, err = w.service.Refresh(t.Context(), second.Refresh)
		wantCode(t, err, fault.Unauthenticated, "its newest refresh token")
		if n := len(w.log(w.acme, "refreshSession")); n != 1 {
			t.Errorf("%d events", n)
		}
		if _, err := w.service.Refresh(t.Context(), bystander.Refresh); err != nil {
			t.Errorf("another provider's session: %v", err)
		}
		idle := w.signIn(w.acme.owner.Email)
		w.pass(15 * 24 * time.Hour)
		_, err = w.service.Refresh(t.Context(), idle.Refresh)
		wantCode(t, err, fault.Unauthenticated, "an idle session")
		if err := w.service.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Of many that refresh with one token at once, one succeeds, and the session
// ends, since nobody can tell the owner from the thief.
func TestRefreshRace(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tokens := w.signIn(w.acme.owner.Email)
		var won atomic.Int64
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				if _, err := w.service.Refresh(t.Context(), tokens.Refresh); err == nil {
					won.Add(1)
				} else {
					wantCode(t, err, fault.Unauthenticated, "the slower")
				}
			})
		}
		wait.Wait()
		if won.Load() > 1 {
			t.Errorf("%d succeeded", won.Load())
		}
		_, err := w.as(tokens.Access, "")
		wantCode(t, err, fault.Unauthenticated, "the session")
	})
}

func TestSignOut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		one, two, three := w.signIn(w.acme.owner.Email).Access, w.signIn(w.acme.owner.Email).Access, w.signIn(w.acme.owner.Email).Access
		out := func(bearer string, everywhere bool) (ended int) {
			err := gate(t.Context(), w.mustAs(bearer, ""), access.Self, func(ctx context.Context) (err error) {
				ended, err = w.service.SignOut(ctx, everywhere)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return ended
		}
		w.mustAs(two, "")
		if n := out(one, false); n != 1 {
			t.Errorf("ended %d", n)
		}
		_, err := w.as(one, "")
		wantCode(t, err, fault.Unauthenticated, "signed out")
		w.mustAs(two, "")
		if n := out(three, true); n != 2 {
			t.Errorf("ended %d", n)
		}
		_, err = w.as(two, "")
		wantCode(t, err, fault.Unauthenticated, "signed out elsewhere")
	})
}

func TestSecondFactor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		email := w.acme.owner.Email
		other := w.hire(w.acme, "other@acme.example", access.NewAdministrator{RoleID: w.acme.roles[policy.AdministratorWithBilling], AllOrganizations: true})
		c := w.ownerOf(w.acme)
		self := access.With(tenancy.With(ctx, c.Scope()), c)
		_, err := w.service.EnrollTOTP(self, "wrong")
		wantCode(t, err, fault.InvalidArgument, "enrolment with a wrong password")
		enrolment, err := w.service.EnrollTOTP(self, password)
		if err != nil {
			t.Fatal(err)
		}
		code := func(secret string) string {
			code, err := totp.GenerateCode(secret, w.now())
			if err != nil {
				t.Fatal(err)
			}
			return code
		}
		w.signIn(email) // nothing is asked for until a code was shown
		confirm := func(code string) (codes []string, err error) {
			err = w.db.InTx(self, func(ctx context.Context) (err error) {
				_, codes, err = w.service.ConfirmTOTP(ctx, code)
				return err
			})
			return codes, err
		}
		_, err = confirm("000000")
		wantCode(t, err, fault.InvalidArgument, "a wrong first code")
		recovery, err := confirm(code(enrolment.Secret))
		if err != nil || len(recovery) == 0 {
			t.Fatalf("%d recovery codes, %v", len(recovery), err)
		}
		challenge := func() string {
			in, err := w.service.SignIn(ctx, email, password)
			if err != nil || in.Session != nil || in.TOTPToken == "" {
				t.Fatalf("%+v, %v", in, err)
			}
			return in.TOTPToken
		}
		_, err = w.service.VerifyTOTP(ctx, challenge(), code(enrolment.Secret))
		wantCode(t, err, fault.Unauthenticated, "the code that confirmed the enrolment")
		w.pass(30 * time.Second)
		pending := challenge()
		_, err = w.as(pending, "")
		wantCode(t, err, fault.Unauthenticated, "the pending sign-in's token as a credential")
		right := code(enrolment.Secret)
		tokens, err := w.service.VerifyTOTP(ctx, pending, right)
		if err != nil {
			t.Fatal(err)
		}
		w.mustAs(tokens.Access, "")
		_, err = w.service.VerifyTOTP(ctx, pending, right)
		wantCode(t, err, fault.Unauthenticated, "a pending sign-in used twice")
		_, err = w.service.VerifyTOTP(ctx, challenge(), right)
		wantCode(t, err, fault.Unauthenticated, "a code used twice")
		if _, err = w.service.VerifyTOTP(ctx, challenge(), recovery[0]); err != nil {
			t.Errorf("a recovery code: %v", err)
		}
		_, err = w.service.VerifyTOTP(ctx, challenge(), recovery[0])
		wantCode(t, err, fault.Unauthenticated, "a recovery code used twice")

		// The old authenticator counts until the new one has shown a code.
		w.pass(time.Hour)
		renewed, err := w.service.EnrollTOTP(self, password)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.service.VerifyTOTP(ctx, challenge(), code(enrolment.Secret)); err != nil {
			t.Errorf("the old authenticator: %v", err)
		}
		if _, err := confirm(code(renewed.Secret)); err != nil {
			t.Fatal(err)
		}
		w.pass(30 * time.Second)
		_, err = w.service.VerifyTOTP(ctx, challenge(), code(enrolment.Secret))
		wantCode(t, err, fault.Unauthenticated, "the old authenticator after that")
		expired := challenge()
		w.pass(6 * time.Minute)
		_, err = w.service.VerifyTOTP(ctx, expired, code(renewed.Secret))
		wantCode(t, err, fault.Unauthenticated, "a sign-in that took too long")
		if n := len(w.log(w.acme, "verifyTotp")); n != 7 {
			t.Errorf("%d events", n)
		}

		err = gate(ctx, w.mustAs(w.signIn(other.Email).Access, ""), "access.change_administrator", func(ctx context.Context) error {
			_, err := w.service.ResetTOTP(ctx, w.acme.owner.ID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		w.signIn(email)
	})
}

// The same code at the same time is accepted once.
func TestCodeRace(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.ownerOf(w.acme)
		self := access.With(tenancy.With(t.Context(), c.Scope()), c)
		enrolment, err := w.service.EnrollTOTP(self, password)
		if err != nil {
			t.Fatal(err)
		}
		code, _ := totp.GenerateCode(enrolment.Secret, w.now())
		if _, _, err := w.service.ConfirmTOTP(self, code); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Minute)
		code, _ = totp.GenerateCode(enrolment.Secret, w.now())
		var won atomic.Int64
		var wait sync.WaitGroup
		for range 3 {
			in, err := w.service.SignIn(t.Context(), w.acme.owner.Email, password)
			if err != nil {
				t.Fatal(err)
			}
			wait.Go(func() {
				if _, err := w.service.VerifyTOTP(t.Context(), in.TOTPToken, code); err == nil {
					won.Add(1)
				}
			})
		}
		wait.Wait()
		if won.Load() != 1 {
			t.Errorf("accepted %d times", won.Load())
		}
	})
}

func TestThrottle(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		home, attacker := from(t.Context(), "192.0.2.1"), from(t.Context(), "198.51.100.7")
		if _, err := w.service.SignIn(home, w.acme.owner.Email, password); err != nil {
			t.Fatal(err)
		}
		for _, email := range []string{w.acme.owner.Email, "nobody@acme.example"} {
			for range 5 {
				_, err := w.service.SignIn(attacker, email, "wrong")
				wantCode(t, err, fault.Unauthenticated, "a guess")
			}
			_, err := w.service.SignIn(attacker, email, password)
			wantCode(t, err, fault.RateLimited, "after five guesses at "+email)
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || f.RetryAfter <= 0 || f.RetryAfter > 15*time.Second {
				t.Errorf("retry after %v", f)
			}
		}
		if _, err := w.service.SignIn(home, w.acme.owner.Email, password); err != nil {
			t.Errorf("the owner is kept out: %v", err)
		}
		other := w.start() // counts are shared
		_, err := other.service.SignIn(attacker, "nobody@acme.example", "wrong")
		wantCode(t, err, fault.RateLimited, "at another replica")
		w.pass(16 * time.Second)
		for block := 30 * time.Second; block < 4*time.Minute; block *= 2 {
			_, err = w.service.SignIn(attacker, "nobody@acme.example", "wrong")
			wantCode(t, err, fault.Unauthenticated, "once the block is over")
			w.pass(block - time.Second)
			_, err = w.service.SignIn(attacker, "nobody@acme.example", "wrong")
			wantCode(t, err, fault.RateLimited, "while it lasts, which is longer each time")
			w.pass(2 * time.Second)
		}
		w.pass(time.Hour)
		if _, err := w.service.SignIn(attacker, w.acme.owner.Email, password); err != nil {
			t.Errorf("an hour later: %v", err)
		}
		for i := range 60 { // from everywhere
			_, _ = w.service.SignIn(from(t.Context(), "2001:db8::"+string(rune('a'+i%6))+string(rune('0'+i/6))), w.acme.owner.Email, "wrong")
		}
		_, err = w.service.SignIn(from(t.Context(), "203.0.113.9"), w.acme.owner.Email, password)
		wantCode(t, err, fault.RateLimited, "from an unfamiliar address")
		if _, err := w.service.SignIn(home, w.acme.owner.Email, password); err != nil {
			t.Errorf("the owner at home is kept out: %v", err)
		}
		if err := w.service.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Guesses at once are counted before they are judged.
func TestThrottleRace(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := from(t.Context(), "198.51.100.7")
		var judged atomic.Int64
		var wait sync.WaitGroup
		for range 20 {
			wait.Go(func() {
				if _, err := w.service.SignIn(ctx, w.acme.owner.Email, "wrong"); fault.CodeOf(err) == fault.Unauthenticated {
					judged.Add(1)
				}
			})
		}
		wait.Wait()
		if judged.Load() != 5 {
			t.Errorf("%d guesses were judged", judged.Load())
		}
	})
}

func TestPassword(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		here, elsewhere := w.signIn(w.acme.owner.Email).Access, w.signIn(w.acme.owner.Email).Access
		w.mustAs(elsewhere, "")
		c := w.mustAs(here, "")
		self := access.With(tenancy.With(t.Context(), c.Scope()), c)
		_, err := w.service.ChangePassword(self, "wrong", "another long password 9")
		wantCode(t, err, fault.InvalidArgument, "a wrong password")
		_, err = w.service.ChangePassword(self, password, "short")
		wantCode(t, err, fault.InvalidArgument, "a short new one")
		if _, err = w.service.ChangePassword(self, password, "another long password 9"); err != nil {
			t.Fatal(err)
		}
		w.mustAs(here, "")
		_, err = w.as(elsewhere, "")
		wantCode(t, err, fault.Unauthenticated, "another session")
		_, err = w.service.SignIn(t.Context(), w.acme.owner.Email, password)
		wantCode(t, err, fault.Unauthenticated, "the old password")
		for range 5 {
			_, _ = w.service.ChangePassword(self, "wrong", "x")
		}
		_, err = w.service.ChangePassword(self, "another long password 9", password)
		wantCode(t, err, fault.RateLimited, "after guesses at the present password")
	})
}

func TestActivation(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		invite := func(email string) (activation string) {
			err := gate(t.Context(), w.ownerOf(w.acme), "access.add_administrator", func(ctx context.Context) (err error) {
				_, activation, err = w.service.CreateAdministrator(ctx, access.NewAdministrator{Email: email, RoleID: w.acme.roles[policy.ReadOnly]})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return activation
		}
		link := invite("new@acme.example")
		_, err := w.service.SignIn(t.Context(), "new@acme.example", "")
		wantCode(t, err, fault.Unauthenticated, "before the activation")
		_, err = w.service.Activate(t.Context(), link, "short")
		wantCode(t, err, fault.InvalidArgument, "a short password")
		_, err = w.service.Activate(t.Context(), link[:20], password)
		wantCode(t, err, fault.Unauthenticated, "a truncated link")
		a, err := w.service.Activate(t.Context(), link, password)
		if err != nil || !a.Registered || a.APIKeyAllowed {
			t.Fatalf("%v, %v", a, err)
		}
		w.signIn("new@acme.example")
		_, err = w.service.Activate(t.Context(), link, password)
		wantCode(t, err, fault.Unauthenticated, "a link used twice")
		late := invite("late@acme.example")
		w.pass(7*24*time.Hour + time.Second)
		_, err = w.service.Activate(t.Context(), late, password)
		wantCode(t, err, fault.Unauthenticated, "a link after seven days")
	})
}

// A suspended administrator's live token stops at once, on every replica.
func TestSuspensionReachesEveryReplica(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		if engine != "postgres" {
			return // SQLite has one process
		}
		w := newWorld(t, engine)
		other := w.start()
		victim := w.hire(w.acme, "victim@acme.example", access.NewAdministrator{RoleID: w.acme.roles[policy.ReadOnly], AllOrganizations: true})
		bearer := w.signIn(victim.Email).Access
		for _, r := range []*replica{w.replica, other} {
			c, err := r.as(t.Context(), bearer, "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Renew(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now()
		err := gate(t.Context(), w.ownerOf(w.acme), "access.change_administrator", func(ctx context.Context) error {
			_, err := w.service.SuspendAdministrator(ctx, victim.ID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.as(bearer, "")
		wantCode(t, err, fault.Unauthenticated, "at the replica that suspended")
		eventually(t, func() bool {
			_, err := other.as(t.Context(), bearer, "")
			return fault.CodeOf(err) == fault.Unauthenticated
		})
		t.Logf("the other replica refused after %v", time.Since(begin).Round(time.Millisecond))
	})
}
