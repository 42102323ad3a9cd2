package standin

import (
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// readBody takes the body of a call, or says what is wrong with it.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *answer) {
	raw, status := desk.Body(w, r)
	if status == 0 {
		return raw, nil
	}
	text := map[int][2]string{
		http.StatusRequestEntityTooLarge: {"TooLarge", "Request too large."},
		http.StatusUnsupportedMediaType:  {"UnsupportedMediaType", "Content-Type must be application/json."},
		http.StatusBadRequest:            {"InvalidJson", "The request body is not JSON."},
	}[status]
	problem := refused(status, text[0], text[1])
	return nil, &problem
}

// decode fills a request's struct, whose fields are all that is known here.
func decode(raw []byte, into any, resource string) *answer {
	field, err := desk.Decode(raw, into)
	if err == nil {
		return nil
	}
	refusal := invalid(resource, problem{"InvalidField", err.Error(), field})
	return &refusal
}

// problem is what is wrong with one field.
type problem struct{ code, message, field string }

// invalid is ConnectWise's answer to values that a record cannot have.
func invalid(resource string, problems ...problem) answer {
	list := make([]object, 0, len(problems))
	for _, p := range problems {
		list = append(list, object{"code": p.code, "message": p.message, "resource": resource, "field": p.field})
	}
	return answer{status: http.StatusBadRequest, body: object{"code": "InvalidObject", "message": resource + " object is invalid", "errors": list}}
}

func refused(status int, code, message string) answer {
	return answer{status: status, body: object{"code": code, "message": message, "errors": nil}}
}

func tooMany(wait time.Duration) answer {
	a := refused(http.StatusTooManyRequests, "TooManyRequests", "API rate limit exceeded.")
	if wait > 0 {
		a.header = http.Header{"Retry-After": {strconv.Itoa(int((wait + time.Second - 1) / time.Second))}}
	}
	return a
}

// accountOf reads the credentials: company+public:private.
func (s *Server) accountOf(r *http.Request) *account {
	user, private, ok := r.BasicAuth()
	if !ok {
		return nil
	}
	company, public, ok := strings.Cut(user, "+")
	if !ok {
		return nil
	}
	for _, a := range s.accounts {
		if strings.EqualFold(a.CompanyID, company) && a.PublicKey == public && a.PrivateKey == private && !a.revoked {
			return a
		}
	}
	return nil
}

// checkHeader wants a known client and a version of the API.
func (s *Server) checkHeader(h http.Header) *answer {
	if !slices.ContainsFunc(s.config.ClientIDs, func(id string) bool { return strings.EqualFold(id, h.Get("clientId")) }) {
		wrong := refused(http.StatusUnauthorized, "InvalidClientId", "The clientId header is missing or not registered.")
		return &wrong
	}
	kind, params, err := mime.ParseMediaType(h.Get("Accept"))
	if err != nil || kind != vendorMedia || !slices.Contains(s.config.Versions, params["version"]) {
		wrong := refused(http.StatusNotAcceptable, "InvalidVersion", "The Accept header asks for no version of this API.")
		return &wrong
	}
	return nil
}

func (a *account) forbids(r *http.Request) bool {
	if a.ReadOnly && r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/search") {
		return true
	}
	below := strings.TrimPrefix(r.URL.Path, "/"+r.PathValue("codebase")+"/apis/3.0")
	ok, err := path.Match(a.Forbidden, below)
	return ok && err == nil
}

func companyInfo(s *Server, _ *account, r *http.Request, _ []byte) answer {
	for _, a := range s.accounts {
		if strings.EqualFold(a.CompanyID, r.PathValue("company")) {
			return answer{status: http.StatusOK, body: object{
				"CompanyName": a.CompanyID, "CompanyID": a.CompanyID, "Codebase": a.CodeBase, "VersionCode": strings.Trim(a.CodeBase, "/"),
				"IsCloud": !a.OnPremises, "SiteUrl": r.Host,
			}}
		}
	}
	return answer{status: http.StatusOK} // null
}

func idOf(r *http.Request) int64 {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0
	}
	return id
}
