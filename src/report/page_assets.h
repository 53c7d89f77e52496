/* Style and script of the HTML page, made at build time by scripts/bundle-report-page from share/report. */
#ifndef KENNING_REPORT_PAGE_ASSETS_H
#define KENNING_REPORT_PAGE_ASSETS_H

extern const char kn_page_style[];
extern const char kn_page_script[];
/* The script's digest as a content security policy names it: "sha256-...". */
extern const char kn_page_script_digest[];

#endif
