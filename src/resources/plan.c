#include "resources/plan.h"

#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "resources/build.h"

void kn_install_plan_clear(kn_install_plan *plan) {
  kn_venv_clear(&plan->environment);
  kn_free(plan->files);
  kn_manifest_clear(&plan->manifest);
  *plan = (kn_install_plan){0};
}

const char *kn_install_plan_version(const kn_install_plan *plan) {
  const kn_manifest_build *build = kn_manifest_build_of(&plan->manifest);
  if (plan->file_count) return plan->files[0]->version;
  return build ? build->version : kn_manifest_head(&plan->manifest)->version;
}

bool kn_install_plan_done(const kn_install_plan *plan) {
  return plan->files_there && (!plan->with_environment || plan->environment_there);
}

static bool fits(const kn_manifest_file *file, kn_arch arch) {
  return file->arch == KN_ARCH_ANY || file->arch == (int)arch;
}

/* The installed file is one that the manifest knows under this key. */
static const kn_manifest_file *installed_as(const kn_manifest *manifest, kn_arch arch,
                                            const kn_installed_file *installed) {
  uint64_t bytes;
  for (size_t i = 0; i < manifest->file_count; i++) {
    const kn_manifest_file *file = kn_manifest_file_at(manifest, i);
    if (fits(file, arch) && !strcmp(file->key, installed->key) && !strcmp(file->sha256, installed->sha256))
      return kn_file_exists(installed->path, &bytes) && bytes == (uint64_t)file->bytes ? file : NULL;
  }
  return NULL;
}

/* What each client lacks, asked at most once: starting pip takes half a second. */
typedef struct client_state {
  bool asked;
  bool there;
  char words[200];
} client_state;

static kn_status ask_client(const kn_downloads *downloads, int client, client_state *states, bool *out_there) {
  client_state *state = &states[client];
  if (!state->asked) {
    kn_status status = kn_client_check(downloads, (kn_client)client);
    if (status && kn_status_code(status) != KN_NOT_INSTALLED) return status;
    state->there = !status;
    if (status) snprintf(state->words, sizeof state->words, "%s", kn_status_message(status, 0));
    kn_status_free(status);
    state->asked = true;
  }
  *out_there = state->there;
  return NULL;
}

/* The first entry of `key` for the machine whose client is at hand or whose package is already here. */
static kn_status choose(const kn_manifest *manifest, kn_arch arch, const char *key, const kn_downloads *downloads,
                        client_state *states, const kn_manifest_file **out_file) {
  const kn_manifest_file *best = NULL;
  for (size_t i = 0; i < manifest->file_count; i++) {
    const kn_manifest_file *file = kn_manifest_file_at(manifest, i);
    if (strcmp(file->key, key) != 0 || !fits(file, arch)) continue;
    char *package;
    bool there = false;
    KN_TRY(kn_package_find(downloads, file, &package));
    if (package)
      there = true;
    else if (!downloads->offline)
      KN_TRY(ask_client(downloads, file->client, states, &there));
    kn_free(package);
    if (!best) best = file;
    if (!there) continue;
    if (file != best)
      kn_log(KN_LOG_WARNING, "%s %s is not to be had: %s; instead %s comes from %s by %s",
             kn_manifest_head(manifest)->name, best->version,
             downloads->offline ? "it is not among the downloads" : states[best->client].words, file->version,
             file->package, kn_client_name((kn_client)file->client));
    *out_file = file;
    return NULL;
  }
  if (!best)
    return kn_status_make(KN_INCOMPATIBLE,
                          "%s has no '%s' for this kind of machine; name a library of your own by "
                          "KENNING_<FRAMEWORK>_LIBRARY",
                          kn_manifest_head(manifest)->name, key);
  if (downloads->offline)
    return kn_status_make(KN_NOT_FOUND, "%s is not among the downloads in %s, and --offline asks nobody else",
                          best->package, downloads->directory);
  return kn_status_make(KN_NOT_INSTALLED, "%s takes %s by %s: %s", kn_manifest_head(manifest)->name, best->package,
                        kn_client_name((kn_client)best->client), states[best->client].words);
}

/* The entry after `file` that may stand in for it. */
static const kn_manifest_file *next_alternative(const kn_manifest *manifest, kn_arch arch,
                                                const kn_manifest_file *file) {
  bool behind = false;
  for (size_t i = 0; i < manifest->file_count; i++) {
    const kn_manifest_file *other = kn_manifest_file_at(manifest, i);
    if (behind && fits(other, arch) && !strcmp(other->key, file->key)) return other;
    behind = behind || other == file;
  }
  return NULL;
}

kn_status kn_install_plan_fetch(kn_install_plan *plan, const kn_downloads *downloads) {
  for (size_t i = 0; i < plan->file_count; i++) {
    char *package = NULL;
    kn_status status;
    while ((status = kn_package_fetch(downloads, plan->files[i], &package))) {
      const kn_manifest_file *failed = plan->files[i], *next = next_alternative(&plan->manifest, plan->arch, failed);
      if (kn_status_code(status) != KN_BACKEND_FAILED || !next) return status;
      kn_status without_client = kn_client_check(downloads, (kn_client)next->client);
      if (without_client) {
        kn_status_free(without_client);
        return status;
      }
      kn_log(KN_LOG_WARNING,
             "%s\nInstead of %s %s, %s is taken from %s by %s; `kenning install --force %s` tries again",
             kn_status_message(status, 0), failed->key, failed->version, next->version, next->package,
             kn_client_name((kn_client)next->client), kn_manifest_head(&plan->manifest)->name);
      kn_status_free(status);
      plan->files[i] = next;
    }
    kn_free(package);
  }
  return NULL;
}

static bool key_seen(const kn_manifest *manifest, size_t index) {
  for (size_t i = 0; i < index; i++)
    if (!strcmp(kn_manifest_file_at(manifest, i)->key, kn_manifest_file_at(manifest, index)->key)) return true;
  return false;
}

static kn_status choose_all(kn_install_plan *plan, const kn_downloads *downloads) {
  client_state states[KN_CLIENT_COUNT] = {0};
  kn_status faults = NULL;
  plan->file_count = 0;
  for (size_t i = 0; i < plan->manifest.file_count; i++) {
    if (key_seen(&plan->manifest, i)) continue;
    const kn_manifest_file *chosen = NULL;
    kn_status status =
        choose(&plan->manifest, plan->arch, kn_manifest_file_at(&plan->manifest, i)->key, downloads, states, &chosen);
    if (!status) plan->files[plan->file_count++] = chosen;
    faults = kn_status_join(faults, status);
  }
  return faults;
}

/* What is made was made of the same, and is whole in size. */
static bool build_there(const kn_install_plan *plan, const kn_installation *installed) {
  const kn_manifest_build *build = kn_manifest_build_of(&plan->manifest);
  if (!build) return true;
  const kn_installed_file *file = kn_installation_file(installed, build->key);
  uint64_t bytes;
  return file && file->definition_sha256 && !strcmp(file->definition_sha256, plan->build_definition) &&
         kn_file_exists(file->path, &bytes) && bytes == (uint64_t)file->bytes;
}

/* Takes over what is installed when every key of the manifest is there as the manifest knows it. */
static void take_installed(kn_install_plan *plan, const kn_installation *installed) {
  plan->file_count = 0;
  for (size_t i = 0; i < plan->manifest.file_count; i++) {
    if (key_seen(&plan->manifest, i)) continue;
    const kn_installed_file *file = kn_installation_file(installed, kn_manifest_file_at(&plan->manifest, i)->key);
    const kn_manifest_file *known = file ? installed_as(&plan->manifest, plan->arch, file) : NULL;
    if (!known) return;
    plan->files[plan->file_count++] = known;
  }
  plan->files_there = build_there(plan, installed);
}

static kn_status count_files(kn_install_plan *plan, const kn_downloads *downloads) {
  for (size_t i = 0; i < plan->file_count; i++) {
    const kn_manifest_file *file = plan->files[i];
    plan->disk_bytes += file->bytes;
    bool counted = false;
    for (size_t j = 0; j < i && !counted; j++) counted = !strcmp(plan->files[j]->package, file->package);
    char *package = NULL;
    if (!counted) KN_TRY(kn_package_find(downloads, file, &package));
    if (!counted && !package) plan->download_bytes += file->download_bytes;
    kn_free(package);
  }
  return NULL;
}

static kn_status count_build(kn_install_plan *plan, const kn_downloads *downloads) {
  const kn_manifest_build *build = kn_manifest_build_of(&plan->manifest);
  if (!build) return NULL;
  int64_t bytes;
  KN_TRY(kn_build_prepare(&plan->manifest, downloads, &bytes));
  plan->download_bytes += bytes;
  plan->disk_bytes += build->bytes;
  plan->work_bytes = build->work_bytes;
  return NULL;
}

static kn_status plan_environment(kn_install_plan *plan, const kn_plan_options *options, const kn_downloads *downloads,
                                  const kn_installation *installed) {
  const kn_manifest_environment *definition = kn_manifest_environment_of(&plan->manifest);
  const kn_manifest_build *build = kn_manifest_build_of(&plan->manifest);
  bool needed = build ? build->with_environment : !plan->manifest.file_count;
  plan->with_environment = definition && (needed || !options->only_library);
  if (!plan->with_environment) return NULL;
  KN_TRY(kn_venv_plan(&plan->manifest, downloads, &plan->environment));
  bool built = plan->environment.lock_sha256 && !options->force;
  plan->environment_there = built && installed->environment.directory &&
                            !strcmp(installed->environment.directory, plan->environment.directory);
  return NULL;
}

kn_status kn_install_plan_make(const char *framework, const kn_plan_options *options, const kn_downloads *downloads,
                               kn_install_plan *out_plan) {
  *out_plan = (kn_install_plan){.arch = options->arch ? options->arch : kn_arch_here()};
  KN_TRY(kn_manifest_read(framework, &out_plan->manifest));
  out_plan->files = kn_alloc_array(out_plan->manifest.file_count + 1, sizeof *out_plan->files);
  kn_installation installed = {0};
  kn_status status = out_plan->files ? NULL : kn_status_out_of_memory();
  if (!status && kn_manifest_build_of(&out_plan->manifest) && out_plan->arch != kn_arch_here())
    status = kn_status_make(KN_INCOMPATIBLE, "%s is made on the machine that it runs on: install it there", framework);
  if (!status && kn_manifest_build_of(&out_plan->manifest))
    status = kn_build_definition(&out_plan->manifest, out_plan->build_definition);
  if (!status) status = kn_installation_read(framework, &installed);
  if (!status && !options->force) take_installed(out_plan, &installed);
  if (kn_status_code(status) == KN_NOT_INSTALLED) {
    kn_status_free(status);
    status = NULL;
  }
  if (!status && !out_plan->files_there) {
    status = choose_all(out_plan, downloads);
    if (!status) status = count_files(out_plan, downloads);
    if (!status) status = count_build(out_plan, downloads);
  }
  if (kn_status_code(status) != KN_OUT_OF_MEMORY)
    status = kn_status_join(status, plan_environment(out_plan, options, downloads, &installed));
  kn_installation_clear(&installed);
  if (status) kn_install_plan_clear(out_plan);
  return status;
}

/* The wheel of a file of some plan is one of the environment's packages too. */
static int64_t common_bytes(const kn_install_plan *plans, size_t count, const kn_manifest_environment *definition) {
  int64_t bytes = 0;
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < plans[i].file_count; j++) {
      const kn_manifest_file *file = plans[i].files[j];
      bool counted = file->client != KN_CLIENT_PIP || (j > 0 && !strcmp(plans[i].files[j - 1]->package, file->package));
      for (size_t k = 0; k < definition->python_packages.count && !counted; k++) {
        counted = !strncmp(definition->python_packages.items[k], file->package, strlen(file->package));
        if (counted) bytes += file->download_bytes;
      }
    }
  }
  return bytes;
}

void kn_install_plans_share(kn_install_plan *plans, size_t count) {
  for (size_t i = 0; i < count; i++) {
    kn_install_plan *plan = &plans[i];
    if (!plan->with_environment || plan->environment_there) continue;
    const kn_manifest_environment *definition = kn_manifest_environment_of(&plan->manifest);
    for (size_t j = 0; j < i && !plan->environment_shared; j++)
      plan->environment_shared =
          plans[j].with_environment && !strcmp(plans[j].environment.directory, plan->environment.directory);
    if (!plan->environment_shared) {
      plan->download_bytes += definition->download_bytes - common_bytes(plans, count, definition);
      plan->disk_bytes += definition->disk_bytes;
    }
  }
}

void kn_install_plan_tell(const kn_install_plan *plan) {
  const kn_manifest_framework *head = kn_manifest_head(&plan->manifest);
  const kn_manifest_environment *definition = kn_manifest_environment_of(&plan->manifest);
  if (kn_install_plan_done(plan)) {
    kn_log(KN_LOG_INFO, "%s %s is already installed", head->name, kn_install_plan_version(plan));
    return;
  }
  kn_log(KN_LOG_INFO, "%s: %s (licence %s)", head->name, head->summary, head->license);
  for (size_t i = 0; i < plan->file_count && !plan->files_there; i++)
    kn_log(KN_LOG_INFO, "  %s %s, %.1f MB, out of %s by %s", kn_manifest_file_name(plan->files[i]),
           plan->files[i]->version, (double)plan->files[i]->bytes / 1e6, plan->files[i]->package,
           kn_client_name((kn_client)plan->files[i]->client));
  const kn_manifest_build *build = kn_manifest_build_of(&plan->manifest);
  if (build && !plan->files_there) {
    kn_log(KN_LOG_INFO, "  %s %s, about %.1f MB, made on this machine", build->result, build->version,
           (double)build->bytes / 1e6);
    for (size_t i = 0; i < plan->manifest.source_count; i++) {
      const kn_manifest_file *source = kn_manifest_source_at(&plan->manifest, i);
      if (kn_manifest_file_is_for_here(source))
        kn_log(KN_LOG_INFO, "    of %s by %s", source->package, kn_client_name((kn_client)source->client));
    }
  }
  if (plan->with_environment && !plan->environment_there)
    kn_log(KN_LOG_INFO, "  Python environment '%s' (Python %s) with %.*s%s by pip, %.0f MB%s", definition->name,
           plan->environment.python, (int)strcspn(definition->python_packages.items[0], "; "),
           definition->python_packages.items[0],
           definition->python_packages.count + definition->no_deps.count > 1 ? " and more" : "",
           (double)definition->disk_bytes / 1e6, plan->environment.lock_sha256 ? ", which is there already" : "");
}
