// Package door lets in whoever the gateway says is there, and nobody else.
//
//	go get github.com/go-jose/go-jose/v4
//	http.ListenAndServe("127.0.0.1:3000", door.New("https://id.example.com", "trello").Protect(inside))
//	// behind it: door.Of(request).Subject
//
// What it checks is in docs/middleware.md. It reads no other field: X-Fedgate-User and its siblings prove nothing.
package door

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	skew    = time.Minute      // that two clocks may differ
	longest = 5 * time.Minute  // that the gateway lets an assertion live
	kept    = 5 * time.Minute  // that the keys are kept
	again   = 30 * time.Second // an unknown key has them fetched anew, so often at most
	largest = 1 << 16          // bytes of a key set
)

var errRefused = errors.New("nothing that the gateway wrote for this product, now")

// Person is who is there.
type Person struct {
	Subject string
	Session string
	Email   string
	Name    string
	Org     string
	Groups  []string
}

type claims struct {
	Session string   `json:"sid"`
	Email   string   `json:"email"`
	Name    string   `json:"name"`
	Org     string   `json:"org"`
	Groups  []string `json:"groups"`
}

// Door belongs to one product.
type Door struct {
	issuer, product string
	client          *http.Client
	mutex           sync.Mutex
	keys            jose.JSONWebKeySet
	fetched         time.Time
}

type key struct{}

// New takes the login host's URL, and the NAME of [product.NAME].
func New(issuer, product string) *Door {
	straight := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Door{issuer: issuer, product: product, client: &http.Client{Timeout: 5 * time.Second, CheckRedirect: straight}}
}

// Of is who is there, behind Protect.
func Of(request *http.Request) Person {
	return request.Context().Value(key{}).(Person)
}

// Protect answers 401 to what the gateway did not write, and 503 where its keys cannot be had. Nobody enters either way.
func (d *Door) Protect(inside http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		person, err := d.admit(r)
		switch {
		case errors.Is(err, errRefused):
			http.Error(w, "open this product through the gateway", http.StatusUnauthorized)
		case err != nil:
			http.Error(w, "the keys of the gateway cannot be had", http.StatusServiceUnavailable)
		default:
			w.Header().Del("Cache-Control")
			inside.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, person)))
		}
	})
}

func (d *Door) admit(r *http.Request) (Person, error) {
	values := r.Header.Values("Fedgate-Assertion")
	if len(values) != 1 {
		return Person{}, errRefused
	}
	// The algorithm is ours to say; what names another one is not parsed, nor is a header that must be obeyed (crit).
	token, err := jwt.ParseSigned(values[0], []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(token.Headers) != 1 || token.Headers[0].ExtraHeaders[jose.HeaderType] != "fedgate+jwt" {
		return Person{}, errRefused
	}
	public, err := d.find(token.Headers[0].KeyID)
	if err != nil {
		return Person{}, err
	}
	var usual jwt.Claims
	var more claims
	if token.Claims(public, &usual, &more) != nil {
		return Person{}, errRefused
	}
	now := time.Now()
	expected := jwt.Expected{Issuer: d.issuer, AnyAudience: jwt.Audience{d.product}, Time: now}
	if usual.Expiry == nil || usual.IssuedAt == nil || usual.ValidateWithLeeway(expected, skew) != nil {
		return Person{}, errRefused
	}
	if now.After(usual.IssuedAt.Time().Add(longest+skew)) || usual.Subject == "" || more.Session == "" {
		return Person{}, errRefused
	}
	return Person{usual.Subject, more.Session, more.Email, more.Name, more.Org, more.Groups}, nil
}

func (d *Door) find(kid string) (any, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	age := time.Since(d.fetched)
	if age >= kept || (len(d.keys.Key(kid)) == 0 && age >= again) {
		if err := d.load(); err != nil {
			d.keys, d.fetched = jose.JSONWebKeySet{}, time.Time{}
			return nil, err
		}
	}
	found := d.keys.Key(kid)
	if len(found) != 1 || !found[0].IsPublic() {
		return nil, errRefused
	}
	return found[0].Key, nil
}

func (d *Door) load() error {
	if !strings.HasPrefix(d.issuer, "https://") {
		return errors.New("the issuer is no https address")
	}
	answer, err := d.client.Get(d.issuer + "/.well-known/jwks.json")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the keys: %s", answer.Status)
	}
	var keys jose.JSONWebKeySet
	if err := json.NewDecoder(io.LimitReader(answer.Body, largest)).Decode(&keys); err != nil {
		return err
	}
	d.keys, d.fetched = keys, time.Now()
	return nil
}
