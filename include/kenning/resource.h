/* Models and data from elsewhere: wherever a path is read, a URI will do. For built-in blocks and users of the library;
 * plug-ins get local paths.
 *
 * file:///path is the path; https:// and http:// are downloaded; kenning:///path is a path below the base URI
 * ($KENNING_RESOURCES_URI, else the original's). A URI that ends in "#sha256=HEX" is checked against that sum. What was
 * downloaded is kept in $XDG_CACHE_HOME/kenning/resources by its content and is not asked for again. */
#ifndef KENNING_RESOURCE_H
#define KENNING_RESOURCE_H

#include <kenning/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Settings of the process. Call before the first resource is fetched; not thread-safe. */
typedef struct kn_resource_settings {
  bool offline;         /* take what is there, ask nobody; also $KENNING_OFFLINE=1 */
  const char *base_uri; /* of kenning:///; NULL: as above. Must outlive its use */
} kn_resource_settings;
KN_API void kn_resource_configure(const kn_resource_settings *settings);

/* True for text that names something to be downloaded: any URI but file://. */
KN_API bool kn_resource_is_remote(const char *path_or_uri);

/* The local file of a path or URI, downloaded where it must be; shows progress. A path and a file:// URI are not looked
 * at. Free with kn_free. A downloaded file keeps the last name of its URI and is read-only. When the cache's limit
 * ($KENNING_MAX_CACHE_SIZE, 50 GB) is passed, what was not used for longest goes, but nothing that this process
 * has been given. KN_NOT_FOUND (the server has no such file; or offline and not in the cache), KN_INVALID_ARGUMENT (a
 * URI that cannot be fetched), KN_BAD_DATA (checksum), KN_IO_ERROR (network, server, disk), KN_NOT_INSTALLED,
 * KN_CANCELLED. Thread-safe; processes wait for each other. */
KN_API kn_status kn_resource_fetch(const char *path_or_uri, char **out_path) KN_MUST_USE;

/* The same for a model: what the server has as URI.json, the io specification, is put beside it as FILE.json. Where it
 * could not be had the model comes without, and it is asked for again the next time, unless the server has none. */
KN_API kn_status kn_resource_fetch_model(const char *path_or_uri, char **out_path) KN_MUST_USE;

/* The same for a directory: a remote URI names an archive (.tar, .tar.gz, .tgz, .zip), which is unpacked in the cache.
 */
KN_API kn_status kn_resource_fetch_directory(const char *path_or_uri, char **out_path) KN_MUST_USE;

/* Takes one URI out of the cache. KN_NOT_FOUND when it is not there. */
KN_API kn_status kn_resource_forget(const char *uri) KN_MUST_USE;

/* Unpacks a tar (plain or gzip) or zip archive into the new directory `directory`, whole or not at all. Only regular
 * files and directories below it are made; an entry with an absolute path, "..", or of any other kind (links, devices)
 * ends it with KN_BAD_DATA, as do more than 10 million entries, more than 1 TiB, or much more than the archive's size
 * can hold. KN_IO_ERROR (disk full, ...), KN_NOT_INSTALLED without libarchive, KN_CANCELLED. */
KN_API kn_status kn_archive_unpack(const char *archive, const char *directory) KN_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
