// Bundles the page of `brownout report` into one C file: node build.mjs NODE_MODULES OUTPUT.c
// The page has no address in it but those of the licences; report/test shows that it asks for none.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [modules, output] = process.argv.slice(2);
if (!modules || !output) {
    console.error("usage: node build.mjs NODE_MODULES OUTPUT.c");
    process.exit(2);
}
const here = dirname(fileURLToPath(import.meta.url));
const esbuild = createRequire(join(resolve(modules), "x.js"))("esbuild");

function bundle(entry) {
    const result = esbuild.buildSync({
        absWorkingDir: here,
        entryPoints: [entry],
        nodePaths: [resolve(modules)],
        bundle: true,
        minify: true,
        write: false,
        format: "iife",
        target: "es2022",
        charset: "utf8",
        legalComments: "none", // the licence is kept whole, below
        logLevel: "warning",
    });
    return result.outputFiles[0].text.trim();
}

const { name, version } = JSON.parse(readFileSync(join(modules, "uplot/package.json"), "utf8"));
const licence = readFileSync(join(modules, "uplot/LICENSE"), "utf8").trim();
const parts = {
    style: bundle("src/page.css"),
    script: bundle("src/main.js").replaceAll("</script", "<\\/script"),
    licence: `${name} ${version}\n\n${licence}`.replaceAll("--", "- -"),
};
const page = readFileSync(join(here, "src/page.html"), "utf8").replace(
    /\{\{(\w+)\}\}/g,
    (_, part) => parts[part],
);
if (page.split("<!--data-->").length !== 2) {
    throw new Error("src/page.html must hold <!--data--> once");
}

const bytes = Buffer.from(page, "utf8");
const lines = [];
for (let at = 0; at < bytes.length; at += 24) {
    lines.push([...bytes.subarray(at, at + 24)].join(","));
}
writeFileSync(
    output,
    `/* Made by report/build.mjs. */
#include "sim/report_page.h"

const unsigned char report_page[] = {
${lines.join(",\n")}};
const size_t report_page_bytes = sizeof report_page;
`,
);
