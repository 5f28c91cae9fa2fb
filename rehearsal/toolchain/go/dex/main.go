// Dex's server with the storage and the settings that Argo CD uses: `dex serve FILE`. Upstream's own command needs a module
// of its gRPC interface that no released version has yet.
package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	gosundheit "github.com/AppsFlyer/go-sundheit"
	"github.com/dexidp/dex/server"
	"github.com/dexidp/dex/server/signer"
	"github.com/dexidp/dex/server/tokens"
	"github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/yaml"
)

type settings struct {
	Issuer string `json:"issuer"`
	Web    struct {
		HTTP    string `json:"http"`
		HTTPS   string `json:"https"`
		TLSCert string `json:"tlsCert"`
		TLSKey  string `json:"tlsKey"`
	} `json:"web"`
	OAuth2 struct {
		SkipApprovalScreen bool `json:"skipApprovalScreen"`
	} `json:"oauth2"`
	Connectors []struct {
		Type   string          `json:"type"`
		ID     string          `json:"id"`
		Name   string          `json:"name"`
		Config json.RawMessage `json:"config"`
	} `json:"connectors"`
	StaticClients []struct {
		ID           string   `json:"id"`
		Name         string   `json:"name"`
		Secret       string   `json:"secret"`
		RedirectURIs []string `json:"redirectURIs"`
		Public       bool     `json:"public"`
	} `json:"staticClients"`
}

func main() {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if len(os.Args) != 3 || os.Args[1] != "serve" {
		logger.Error("usage: dex serve FILE")
		os.Exit(2)
	}
	if err := serve(os.Args[2], logger); err != nil {
		logger.Error("ended", "err", err)
		os.Exit(1)
	}
}

func serve(file string, logger *slog.Logger) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var wanted settings
	if err := yaml.Unmarshal(content, &wanted); err != nil {
		return err
	}
	handler, err := build(ctx, wanted, logger)
	if err != nil {
		return err
	}
	web := &http.Server{Handler: handler, Addr: wanted.Web.HTTP, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = web.Close()
	}()
	logger.Info("listening", "http", wanted.Web.HTTP, "https", wanted.Web.HTTPS)
	if wanted.Web.HTTPS == "" {
		return web.ListenAndServe()
	}
	web.Addr = wanted.Web.HTTPS
	return web.ListenAndServeTLS(wanted.Web.TLSCert, wanted.Web.TLSKey)
}

func build(ctx context.Context, wanted settings, logger *slog.Logger) (http.Handler, error) {
	held := storage.Storage(memory.New(logger))
	var clients []storage.Client
	for _, given := range wanted.StaticClients {
		clients = append(clients, storage.Client{
			ID: given.ID, Name: given.Name, Secret: given.Secret, RedirectURIs: given.RedirectURIs, Public: given.Public,
		})
	}
	var connectors []storage.Connector
	for _, given := range wanted.Connectors {
		connectors = append(connectors, storage.Connector{ID: given.ID, Type: given.Type, Name: given.Name, Config: given.Config})
	}
	held = storage.WithStaticConnectors(storage.WithStaticClients(held, clients), connectors)
	keys := signer.LocalConfig{KeysRotationPeriod: "6h"}
	signs, err := keys.Open(ctx, held, 24*time.Hour, time.Now, logger)
	if err != nil {
		return nil, err
	}
	refresh, err := tokens.NewRefreshTokenPolicy(logger, false, "", "", "")
	if err != nil {
		return nil, err
	}
	return server.NewServer(ctx, server.Config{
		Issuer:             wanted.Issuer,
		Storage:            held,
		SkipApprovalScreen: wanted.OAuth2.SkipApprovalScreen,
		Web:                server.WebConfig{Dir: "/srv/dex/web"},
		Logger:             logger,
		Signer:             signs,
		RefreshTokenPolicy: refresh,
		PrometheusRegistry: prometheus.NewRegistry(),
		HealthChecker:      gosundheit.New(),
	})
}
