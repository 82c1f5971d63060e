#include "net/url.h"

#include <http_parser.h>
#include <stdio.h>
#include <strings.h>

static bool scheme_tls(const char *at, size_t size, bool *tls) {
    static const struct {
        const char *name;
        bool tls;
    } known[] = {{"http", false}, {"https", true},  {"ws", false},
                 {"wss", true},   {"realm", false}, {"realms", true}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) == size && strncasecmp(known[i].name, at, size) == 0) {
            *tls = known[i].tls;
            return true;
        }
    return false;
}

bool sl_url_parse(sl_url *url, const char *text, sl_status *st) {
    struct http_parser_url u;
    size_t size = strlen(text);
    memset(url, 0, sizeof *url);
    http_parser_url_init(&u);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
            return sl_fail(st, SL_ERR_USAGE, "", "URL: white space or control characters");
    if (size > 16 * 1024 || http_parser_parse_url(text, size, 0, &u) != 0 ||
        !(u.field_set & (1 << UF_SCHEMA)) || !(u.field_set & (1 << UF_HOST)))
        return sl_fail(st, SL_ERR_USAGE, "", "URL: write scheme://host[:port]/path");
    if (u.field_set & ((1 << UF_USERINFO) | (1 << UF_FRAGMENT)))
        return sl_fail(st, SL_ERR_USAGE, "", "URL: user info and fragment are not allowed");
    if (!scheme_tls(text + u.field_data[UF_SCHEMA].off, u.field_data[UF_SCHEMA].len, &url->tls))
        return sl_fail(st, SL_ERR_USAGE, "",
                       "URL: the scheme must be http, https, ws, wss, realm or realms");
    size_t host = u.field_data[UF_HOST].len;
    if (host == 0 || host >= sizeof url->host)
        return sl_fail(st, SL_ERR_USAGE, "", "URL: the host must have 1 to 253 bytes");
    memcpy(url->host, text + u.field_data[UF_HOST].off, host);
    url->explicit_port = (u.field_set & (1 << UF_PORT)) != 0;
    url->port = url->explicit_port ? u.port : url->tls ? 443 : 80;
    if (url->port == 0) return sl_fail(st, SL_ERR_USAGE, "", "URL: port 0");
    url->target = SL_STR("/");
    if (u.field_set & (1 << UF_PATH))
        url->target = sl_str_of(text + u.field_data[UF_PATH].off, size - u.field_data[UF_PATH].off);
    else if (u.field_set & (1 << UF_QUERY))
        return sl_fail(st, SL_ERR_USAGE, "", "URL: write a '/' before the query");
    return true;
}

void sl_url_host_field(const sl_url *url, char *out, size_t size) {
    bool v6 = strchr(url->host, ':') != NULL;
    const char *open = v6 ? "[" : "", *close = v6 ? "]" : "";
    if (url->port == (url->tls ? 443 : 80))
        snprintf(out, size, "%s%s%s", open, url->host, close);
    else
        snprintf(out, size, "%s%s%s:%u", open, url->host, close, (unsigned)url->port);
}
