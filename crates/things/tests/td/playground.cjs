// Says how the validator of the Thing Description Playground judges each of its own examples:
// a line of JSON for each file. Nothing is fetched: JSON-LD and linked models are not looked at.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const name = "@thing-description-playground/core";
const { tdValidator, tmValidator } = require(name);
const examples = path.join(path.dirname(require.resolve(`${name}/package.json`)), "examples");
const options = { checkDefaults: false, checkJsonLd: false, checkTmConformance: false };

// The validators log to whom they are told, but some of their parts log to the console.
console.log = () => {};

async function verdict(validator, text) {
  const said = [];
  const log = (line) => said.push(String(line));
  const { report } = await validator(text, log, options);
  const parts = [report.json, report.schema, report.additional];
  const found = parts.includes("failed") ? "error" : parts.includes("warning") ? "warning" : "ok";
  return { verdict: found, said: said.join("\n") };
}

async function main() {
  for (const [kind, validator] of [["tds", tdValidator], ["tms", tmValidator]]) {
    for (const folder of fs.readdirSync(path.join(examples, kind)).sort()) {
      for (const file of fs.readdirSync(path.join(examples, kind, folder)).sort()) {
        const name = `${kind}/${folder}/${file}`;
        const where = path.join(examples, name);
        const judged = await verdict(validator, fs.readFileSync(where, "utf8"));
        process.stdout.write(JSON.stringify({ name, path: where, ...judged }) + "\n");
      }
    }
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
