// Runs golang-migrate up to the newest version that a folder has.
//
//	migrate program|tool FOLDER DATABASE_URL [STEPS]
//
// "program" opens the database as the original's programs do when they start, "tool" as golang-migrate's own command line does;
// the two take different locks. Prints what it did ("up" or "no change") and the version that the database then stands at. With
// STEPS it goes that many versions up and no further.
package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database/postgres"
	_ "github.com/golang-migrate/migrate/v4/source/file"
)

func main() {
	if len(os.Args) < 4 {
		fail(errors.New("usage: migrate program|tool FOLDER DATABASE_URL [STEPS]"))
	}
	runner, err := open(os.Args[1], "file://"+os.Args[2], os.Args[3])
	if err != nil {
		fail(err)
	}
	did := "up"
	if err := run(runner, os.Args[4:]); errors.Is(err, migrate.ErrNoChange) {
		did = "no change"
	} else if err != nil {
		fail(err)
	}
	version, dirty, err := runner.Version()
	if err != nil {
		fail(err)
	}
	fmt.Printf("%s, version %d, dirty %t\n", did, version, dirty)
}

func open(how, folder, url string) (*migrate.Migrate, error) {
	if how == "tool" {
		return migrate.New(folder, url)
	}
	handle, err := sql.Open("postgres", url)
	if err != nil {
		return nil, err
	}
	driver, err := postgres.WithInstance(handle, &postgres.Config{})
	if err != nil {
		return nil, err
	}
	return migrate.NewWithDatabaseInstance(folder, "parsec", driver)
}

func run(runner *migrate.Migrate, steps []string) error {
	if len(steps) == 0 {
		return runner.Up()
	}
	count, err := strconv.Atoi(steps[0])
	if err != nil {
		return err
	}
	return runner.Steps(count)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
