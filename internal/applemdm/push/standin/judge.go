package standin

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/sideshow/apns2"
)

// maxPayload is Apple's limit, in bytes.
const maxPayload = 4096

// ReasonBadPayload is the stand-in's own word for a payload that is anything
// but {"mdm":"<PushMagic>"}. Apple accepts it, and the device ignores it.
const ReasonBadPayload = "BadPayload"

// serve answers one request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	w.Header().Set("Apns-Id", id)
	token, err := hex.DecodeString(strings.TrimPrefix(r.URL.Path, "/3/device/"))
	switch {
	case r.Method != http.MethodPost:
		s.refuse(w, Answer{Status: http.StatusMethodNotAllowed, Reason: apns2.ReasonMethodNotAllowed})
		return
	case !strings.HasPrefix(r.URL.Path, "/3/device/") || r.ProtoMajor != 2:
		s.refuse(w, Answer{Status: http.StatusNotFound, Reason: apns2.ReasonBadPath})
		return
	case err != nil || len(token) == 0 || len(token) > 100:
		s.refuse(w, Answer{Status: http.StatusBadRequest, Reason: apns2.ReasonBadDeviceToken})
		return
	}
	if a, ok := s.answer(token); ok && s.programmed(w, r, a) {
		return
	}
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	if err != nil {
		s.refuse(w, Answer{Status: http.StatusRequestEntityTooLarge, Reason: apns2.ReasonPayloadTooLarge})
		return
	}
	push := Push{ID: id, Token: token, Topic: r.Header.Get("Apns-Topic"), Priority: r.Header.Get("Apns-Priority")}
	if reason := push.judge(r, payload, s.config.Clock()); reason != "" {
		s.refuse(w, Answer{Status: http.StatusBadRequest, Reason: reason})
		return
	}
	s.keep(push)
	if s.config.OnPush != nil {
		s.config.OnPush(push)
	}
	w.WriteHeader(http.StatusOK)
}

func (s *Server) keep(p Push) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pushes) == maxKept {
		s.pushes = append(s.pushes[:0], s.pushes[maxKept/2:]...)
	}
	s.pushes = append(s.pushes, p)
}

// judge completes a notification from its request, or says what is wrong.
func (p *Push) judge(r *http.Request, payload []byte, now time.Time) string {
	switch {
	case p.Topic == "":
		return apns2.ReasonMissingTopic
	case p.Topic != topicOf(r.TLS.PeerCertificates[0]):
		return apns2.ReasonTopicDisallowed
	case r.Header.Get("Apns-Push-Type") != string(apns2.PushTypeMDM):
		return apns2.ReasonInvalidPushType
	case p.Priority != "" && p.Priority != "10" && p.Priority != "5":
		return apns2.ReasonBadPriority
	}
	seconds, err := strconv.ParseInt(r.Header.Get("Apns-Expiration"), 10, 64)
	if err != nil {
		return apns2.ReasonBadExpirationDate
	}
	if p.Expiration = time.Unix(seconds, 0); !p.Expiration.After(now) {
		return apns2.ReasonBadExpirationDate
	}
	if len(payload) == 0 {
		return apns2.ReasonPayloadEmpty
	}
	var sent struct {
		Magic string `json:"mdm"`
	}
	if json.Unmarshal(payload, &sent) != nil || sent.Magic == "" {
		return ReasonBadPayload
	}
	if again, err := json.Marshal(sent); err != nil || !bytes.Equal(again, payload) {
		return ReasonBadPayload
	}
	p.Magic = sent.Magic
	return ""
}

// programmed carries out the answer of a token, and reports whether that was
// all.
func (s *Server) programmed(w http.ResponseWriter, r *http.Request, a Answer) bool {
	if a.Delay > 0 {
		wait := time.NewTimer(a.Delay)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-r.Context().Done():
			return true
		}
	}
	if a.Reset {
		if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
			reset(conn)
		}
		panic(http.ErrAbortHandler) // net/http's way to end a stream without an answer
	}
	if a.Status == 0 {
		return false
	}
	s.refuse(w, a)
	return true
}

// reset ends a connection so that the client sees a reset, not an end.
func reset(conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // then it ends politely, which will do
	}
	_ = conn.Close() // it may have ended already
}

func (s *Server) refuse(w http.ResponseWriter, a Answer) {
	s.mu.Lock()
	s.refused[a.Reason]++
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if a.RetryAfter != "" {
		w.Header().Set("Retry-After", a.RetryAfter)
	}
	body := []byte(a.Body)
	if len(body) == 0 {
		answer := map[string]any{"reason": a.Reason}
		if !a.Since.IsZero() {
			answer["timestamp"] = a.Since.UnixMilli()
		}
		body, _ = json.Marshal(answer) // a string and a number
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(body) // the client may have gone
}
