package codegen

import (
	"context"
	"fmt"
	"io"
)

// Method is the one argument that sqlc gives a plugin.
const Method = "/plugin.CodegenService/Generate"

// RunPlugin speaks sqlc's plugin protocol: one request on in, one response on
// out, complaints on errs. It returns the exit status of the process.
//
// https://docs.sqlc.dev/en/stable/guides/plugins.html
func RunPlugin(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	if len(args) != 1 || args[0] != Method {
		fmt.Fprintf(errs, "sqlc-gen-lido %s is a plugin of sqlc: name it in sqlc.yaml as the plugin's process.cmd and run \"sqlc generate\"\n", Version)
		return 2
	}
	data, err := io.ReadAll(in)
	if err != nil {
		fmt.Fprintf(errs, "read the request: %v\n", err)
		return 1
	}
	req, err := ParseRequest(data)
	if err != nil {
		fmt.Fprintln(errs, err)
		return 1
	}
	resp, err := Generate(ctx, req)
	if err != nil {
		fmt.Fprintf(errs, "\n%v\n", err)
		return 1
	}
	if _, err := out.Write(resp.Marshal()); err != nil {
		fmt.Fprintf(errs, "write the response: %v\n", err)
		return 1
	}
	return 0
}
