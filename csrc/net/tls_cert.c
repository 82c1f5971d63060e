#include "net/tls_cert.h"

#include "net/private_file.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DAY = 24 * 3600, VALID_DAYS = 825 };

static char *path_in(const sl_alloc *alloc, const char *directory, const char *name) {
    size_t size = strlen(directory) + strlen(name) + 2;
    char *path = sl_new(alloc, size);
    if (path) snprintf(path, size, "%s/%s", directory, name);
    return path;
}

static X509 *read_cert(const char *path) {
    FILE *file = fopen(path, "r");
    X509 *cert = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    if (file) fclose(file);
    return cert;
}

static EVP_PKEY *read_key(const char *path) {
    FILE *file = fopen(path, "r");
    EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
    if (file) fclose(file);
    return key;
}

typedef enum identity { MISSING, GOOD, RENEWABLE, FOREIGN } identity;

static bool made_here(X509 *cert) {
    char name[32] = "";
    X509_NAME *issuer = X509_get_issuer_name(cert);
    return X509_NAME_get_text_by_NID(issuer, NID_commonName, name, sizeof name) > 0 &&
           strcmp(name, "localhost") == 0 &&
           X509_NAME_cmp(issuer, X509_get_subject_name(cert)) == 0;
}

/* GOOD: valid for another day. RENEWABLE: run out, but one of ours. FOREIGN: somebody else's
 * business, never overwritten. */
static identity look_at(const char *cert_file, const char *key_file) {
    if (access(cert_file, F_OK) != 0 && access(key_file, F_OK) != 0) return MISSING;
    X509 *cert = read_cert(cert_file);
    EVP_PKEY *key = read_key(key_file);
    time_t tomorrow = time(NULL) + DAY;
    identity found = FOREIGN;
    if (cert && key && X509_check_private_key(cert, key) == 1) {
        if (X509_cmp_time(X509_get0_notAfter(cert), &tomorrow) > 0)
            found = GOOD;
        else if (made_here(cert))
            found = RENEWABLE;
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    return found;
}

static bool add_extension(X509 *cert, int nid, const char *value) {
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

static bool plain_host(const char *host) {
    size_t size = strlen(host);
    if (size == 0 || size > 253) return false;
    return strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:*_") ==
           size;
}

static bool name_cert(X509 *cert, const char *extra_host) {
    char names[400];
    int n = snprintf(names, sizeof names, "DNS:localhost,IP:127.0.0.1,IP:::1");
    if (extra_host) {
        ASN1_OCTET_STRING *ip = a2i_IPADDRESS(extra_host);
        snprintf(names + n, sizeof names - (size_t)n, ",%s:%s", ip ? "IP" : "DNS", extra_host);
        ASN1_OCTET_STRING_free(ip);
    }
    return add_extension(cert, NID_subject_alt_name, names) &&
           add_extension(cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(cert, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth") &&
           add_extension(cert, NID_subject_key_identifier, "hash");
}

static X509 *make_cert(EVP_PKEY *key, const char *extra_host) {
    X509 *cert = X509_new();
    unsigned char serial[16];
    if (!cert || RAND_bytes(serial, sizeof serial) != 1) goto failed;
    serial[0] &= 0x7f;
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    X509_NAME *name = X509_get_subject_name(cert);
    if (!ok || X509_set_version(cert, X509_VERSION_3) != 1 ||
        !X509_gmtime_adj(X509_getm_notBefore(cert), -3600) ||
        !X509_time_adj_ex(X509_getm_notAfter(cert), VALID_DAYS, 0, NULL) ||
        X509_set_pubkey(cert, key) != 1 ||
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1,
                                   -1, 0) != 1 ||
        X509_set_issuer_name(cert, name) != 1 || !name_cert(cert, extra_host) ||
        X509_sign(cert, key, EVP_sha256()) == 0)
        goto failed;
    return cert;
failed:
    X509_free(cert);
    return NULL;
}

static bool write_pem(const char *path, int mode, X509 *cert, EVP_PKEY *key, sl_status *st) {
    char *text = NULL;
    BIO *out = BIO_new(key ? BIO_s_secmem() : BIO_s_mem());
    int ok = !out   ? 0
             : cert ? PEM_write_bio_X509(out, cert)
                    : PEM_write_bio_PKCS8PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
    long size = ok == 1 ? BIO_get_mem_data(out, &text) : 0;
    bool done = size > 0 ? sl_private_file_write(path, sl_str_of(text, (size_t)size), mode, st)
                         : sl_fail(st, SL_ERR_STORAGE, "", "OpenSSL made no text for %s", path);
    BIO_free(out);
    return done;
}

static bool make_files(const char *cert_file, const char *key_file, const char *extra_host,
                       sl_status *st) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = key ? make_cert(key, extra_host) : NULL;
    bool ok = cert ? write_pem(key_file, 0600, NULL, key, st) &&
                         write_pem(cert_file, 0644, cert, NULL, st)
                   : sl_fail(st, SL_ERR_STORAGE, "", "OpenSSL made no certificate");
    X509_free(cert);
    EVP_PKEY_free(key);
    return ok;
}

bool sl_tls_cert_ensure(const sl_alloc *alloc, const char *directory, const char *extra_host,
                        char **cert_file, char **key_file, bool *created, sl_status *st) {
    if (extra_host && !plain_host(extra_host))
        return sl_fail(st, SL_ERR_USAGE, "", "'%.80s' is not a host name or address", extra_host);
    char *cert = path_in(alloc, directory, "cert.pem");
    char *key = path_in(alloc, directory, "key.pem");
    bool ok = cert && key, fresh = false;
    if (!ok) {
        sl_fail_memory(st);
    } else {
        identity found = look_at(cert, key);
        fresh = found == MISSING || found == RENEWABLE;
        if (fresh)
            ok = make_files(cert, key, extra_host, st);
        else if (found == FOREIGN)
            ok = sl_fail(st, SL_ERR_STORAGE, "",
                         "%s and key.pem are not a valid pair; replace them, or remove both to "
                         "have new ones made",
                         cert);
    }
    if (!ok) {
        sl_delete(alloc, cert);
        sl_delete(alloc, key);
        return false;
    }
    *cert_file = cert;
    *key_file = key;
    if (created) *created = fresh;
    return true;
}
