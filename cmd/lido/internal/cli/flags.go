package cli

import (
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// databaseVariable names the environment variable that stands for --db.
const databaseVariable = "LIDO_DB"

// databaseFlag adds --db.
func databaseFlag(f *pflag.FlagSet, db *string) {
	f.StringVar(db, "db", os.Getenv(databaseVariable), "the database file; "+databaseVariable+" in the environment stands for it")
}

// backupsFlag adds --backups, the folder of the backups, which has the same
// name in every command. former is its name of before, which goes on to work.
func backupsFlag(f *pflag.FlagSet, dir *string, former, usage string) {
	f.StringVar(dir, "backups", "", usage)
	if former != "" {
		f.StringVar(dir, former, "", usage)
		f.Lookup(former).Hidden = true
	}
}

// shell writes words as a command that can be pasted into a shell.
func shell(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		plain := strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:\\@+=,") == ""
		if word == "" || !plain {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		quoted[i] = word
	}
	return strings.Join(quoted, " ")
}
