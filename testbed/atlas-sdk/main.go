// Command atlas-sdk calls the Atlas API on endpoint services and endpoints of dedicated clusters with MongoDB's own client, as
// Terraform's provider, the Atlas CLI and the Atlas Kubernetes Operator do. It prints what that client made of the response, as JSON.
//
// It must never build a request or read a response itself: whether MongoDB's client and the simulator understand each other is what
// it shows.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"go.mongodb.org/atlas-sdk/v20250312005/admin"
)

const usage = `usage: atlas-sdk COMMAND, with ATLAS_BASE_URL, ATLAS_PROJECT, ATLAS_PUBLIC_KEY and ATLAS_PRIVATE_KEY set
  create-service BODY
  list-services PROVIDER
  get-service | delete-service PROVIDER SERVICE
  create-endpoint PROVIDER SERVICE BODY
  get-endpoint | delete-endpoint PROVIDER SERVICE ENDPOINT`

// The number of arguments of each command.
var commands = map[string]int{
	"create-service":  1,
	"list-services":   1,
	"get-service":     2,
	"delete-service":  2,
	"create-endpoint": 3,
	"get-endpoint":    3,
	"delete-endpoint": 3,
}

func main() {
	if len(os.Args) < 3 || commands[os.Args[1]] != len(os.Args)-2 {
		fail(2, usage)
	}
	shown, response, err := run(context.Background(), os.Args[1], os.Args[2:])
	if response != nil {
		defer response.Body.Close()
	}
	if err != nil {
		// What Atlas calls the error, as the client read it.
		if known, ok := admin.AsError(err); ok && known.GetErrorCode() != "" {
			fail(1, fmt.Sprintf("%d %s", known.GetError(), known.GetErrorCode()))
		}
		fail(1, err.Error())
	}
	text, err := json.Marshal(shown)
	if err != nil {
		fail(1, err.Error())
	}
	fmt.Println(string(text))
}

func run(ctx context.Context, command string, given []string) (any, *http.Response, error) {
	client, err := admin.NewClient(
		admin.UseBaseURL(os.Getenv("ATLAS_BASE_URL")),
		admin.UseDigestAuth(os.Getenv("ATLAS_PUBLIC_KEY"), os.Getenv("ATLAS_PRIVATE_KEY")),
	)
	if err != nil {
		return nil, nil, err
	}
	api, project := client.PrivateEndpointServicesApi, os.Getenv("ATLAS_PROJECT")
	switch command {
	case "create-service":
		body, err := decoded[admin.CloudProviderEndpointServiceRequest](given[0])
		if err != nil {
			return nil, nil, err
		}
		return shown(api.CreatePrivateEndpointService(ctx, project, body).Execute())
	case "list-services":
		return shown(api.ListPrivateEndpointServices(ctx, project, given[0]).Execute())
	case "get-service":
		return shown(api.GetPrivateEndpointService(ctx, project, given[0], given[1]).Execute())
	case "delete-service":
		return nothing(api.DeletePrivateEndpointService(ctx, project, given[0], given[1]).Execute())
	case "create-endpoint":
		body, err := decoded[admin.CreateEndpointRequest](given[2])
		if err != nil {
			return nil, nil, err
		}
		return shown(api.CreatePrivateEndpoint(ctx, project, given[0], given[1], body).Execute())
	case "get-endpoint":
		return shown(api.GetPrivateEndpoint(ctx, project, given[0], given[2], given[1]).Execute())
	default:
		return nothing(api.DeletePrivateEndpoint(ctx, project, given[0], given[2], given[1]).Execute())
	}
}

// Decodes a body into the client's type, which has to know each of its fields.
func decoded[Body any](text string) (*Body, error) {
	body := new(Body)
	decoder := json.NewDecoder(bytes.NewBufferString(text))
	decoder.DisallowUnknownFields()
	return body, decoder.Decode(body)
}

// Forgets the type of what the client returned.
func shown[Response any](response Response, raw *http.Response, err error) (any, *http.Response, error) {
	return response, raw, err
}

func nothing(raw *http.Response, err error) (any, *http.Response, error) {
	return struct{}{}, raw, err
}

func fail(code int, why string) {
	fmt.Fprintln(os.Stderr, "atlas-sdk: "+why)
	os.Exit(code)
}
