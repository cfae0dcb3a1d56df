// The system's Chromium, driven by its own protocol over a pipe.
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const puppeteer = createRequire(join(resolve(process.env.REPORT_MODULES), "x.js"))("puppeteer-core");

// Calls act(page); what the page's console or the network has to say against it is an error.
export async function withPage(chromium, { width = 1440, height = 1000, dark = false } = {}, act) {
    const browser = await puppeteer.launch({
        executablePath: chromium,
        pipe: true,
        headless: true,
        args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb"],
    });
    try {
        const page = await browser.newPage();
        const wrong = [];
        page.on("console", (message) => {
            if (["error", "warn"].includes(message.type())) {
                wrong.push(`console: ${message.text()}`);
            }
        });
        page.on("pageerror", (error) => wrong.push(`exception: ${error.message}`));
        page.on("request", (request) => {
            if (!/^(file|data|blob):/.test(request.url())) {
                wrong.push(`network: ${request.url()}`);
            }
        });
        await page.setViewport({ width, height });
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
        await act(page);
        if (wrong.length > 0) {
            throw new Error(wrong.join("\n"));
        }
    } finally {
        await browser.close();
    }
}
