package org.dpo4j.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.DiskSpace;
import org.dpo4j.data.Sha256;
import org.dpo4j.report.Progress;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: a file of a download that is damaged, cut off or of another commit and is taken for
 * right; a file outside the folder; a token that another host sees; a fault of the network that
 * ends a download which could go on; a refusal of the hub that says nothing of what to do. The hub
 * is a server on this machine.
 */
class DownloadTest {
  private static final Repository MODEL =
      new Repository(RepositoryType.MODEL, FakeHub.NAME, "main");
  private static final FileChoice USUAL = FileChoice.usual(RepositoryType.MODEL);
  private static final Duration ONE = Duration.ofMillis(1);
  private static final Patience SHORT =
      new Patience(
          Duration.ofSeconds(10),
          Duration.ofSeconds(5),
          4,
          Duration.ofMillis(1),
          Duration.ofSeconds(2));

  private static final Patience STALLING =
      new Patience(
          Duration.ofSeconds(10),
          Duration.ofMillis(300),
          3,
          Duration.ofMillis(1),
          Duration.ofSeconds(2));

  private final Path folder;
  private final FakeHub hub;

  DownloadTest(@TempDir Path temporary) throws IOException {
    folder = temporary.resolve("model");
    hub = new FakeHub();
  }

  @BeforeEach
  void fillTheHub() {
    hub.with(".gitattributes", "*.safetensors filter=lfs")
        .with("README.md", "# tiny")
        .with("config.json", "{\"model_type\": \"llama\"}")
        .with("tokenizer.json", random(5000, 1))
        .with("tokenizer_config.json", "{}")
        .with("model.safetensors", random(300_000, 2))
        .with("pytorch_model.bin", random(2000, 3))
        .with("onnx/model.onnx", random(2000, 4))
        .with("onnx/config.json", "{}")
        .with("additional_chat_templates/rag and ü.jinja", "{{ messages }}")
        .with("generation_config.json", new byte[0]);
  }

  @AfterEach
  void stop() {
    hub.close();
  }

  private static byte[] random(int size, long seed) {
    byte[] bytes = new byte[size];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  private HubEndpoint endpoint(String... variables) {
    Map<String, String> environment = new HashMap<>(Map.of("HF_ENDPOINT", hub.address()));
    for (int i = 0; i < variables.length; i += 2) {
      environment.put(variables[i], variables[i + 1]);
    }
    return HubEndpoint.of(environment);
  }

  private Download.Plan download(
      HubEndpoint endpoint, Repository repository, FileChoice choice, Patience patience) {
    try (Download download =
        Download.open(endpoint, repository, choice, folder, DiskSpace.OF_MACHINE, patience)) {
      Download.Plan plan = download.plan(Progress.NONE);
      download.run(plan, Progress.NONE);
      return plan;
    }
  }

  private Download.Plan download() {
    return download(endpoint(), MODEL, USUAL, SHORT);
  }

  private Map<String, byte[]> found() throws IOException {
    Map<String, byte[]> found = new TreeMap<>();
    if (Files.isDirectory(folder)) {
      try (Stream<Path> files = Files.walk(folder)) {
        for (Path file : files.filter(Files::isRegularFile).toList()) {
          String name = folder.relativize(file).toString().replace('\\', '/');
          if (!name.startsWith(".dpo4j-")) {
            found.put(name, Files.readAllBytes(file));
          }
        }
      }
    }
    return found;
  }

  private void assertAllThere() throws IOException {
    assertThat(found().keySet())
        .containsExactlyInAnyOrder(
            "README.md",
            "additional_chat_templates/rag and ü.jinja",
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json");
    assertEachRight();
    assertThat(folder.resolve(".dpo4j-download")).doesNotExist();
    assertThat(folder.resolve(".dpo4j-lock")).doesNotExist();
  }

  private void assertEachRight() throws IOException {
    found().forEach((name, bytes) -> assertThat(bytes).as(name).isEqualTo(hub.bytes(name)));
  }

  private static void assertFails(ThrowingCallable work, String... parts) {
    assertThatThrownBy(work)
        .isInstanceOf(DpoException.class)
        .extracting(failure -> OptionText.flags(((DpoException) failure).text()))
        .asString()
        .contains(parts);
  }

  @Test
  void theFilesThatTrainingNeedsArriveAndAreNotFetchedAgain() throws IOException {
    Download.Plan plan = download();
    assertAllThere();
    assertThat(plan.commit()).isEqualTo(FakeHub.COMMIT);
    assertThat(plan.others()).isEqualTo(4);
    assertThat(Files.readString(folder.resolve(".dpo4j-download.json")))
        .contains("\"repo_id\" : \"acme/tiny\"", FakeHub.COMMIT);

    hub.requests.clear();
    assertThat(download().missing()).isEmpty();
    assertThat(hub.requestsForBytes()).isZero();
    Files.delete(folder.resolve("tokenizer.json"));
    assertThat(download().missing()).extracting(HubFile::path).containsExactly("tokenizer.json");
    assertAllThere();
  }

  @Test
  void patternsNameOtherFiles() throws IOException {
    FileChoice choice =
        FileChoice.of(RepositoryType.MODEL, List.of("*.{bin,onnx}", "additional*/**"));
    download(endpoint(), MODEL, choice, SHORT);
    assertThat(found().keySet())
        .containsExactly(
            "additional_chat_templates/rag and ü.jinja", "onnx/model.onnx", "pytorch_model.bin");
    assertEachRight();
    assertFails(
        () -> download(endpoint(), MODEL, FileChoice.of(RepositoryType.MODEL, List.of("x")), SHORT),
        "acme/tiny has no file that --include matches; it has .gitattributes, README.md");
    assertFails(
        () ->
            download(
                endpoint(),
                MODEL,
                FileChoice.of(RepositoryType.MODEL, List.of("model.bin")),
                SHORT),
        "onnx/model.onnx, onnx/config.json",
        "; did you mean model.onnx?");
    FileChoice some =
        FileChoice.of(RepositoryType.MODEL, List.of("config.json", "onx/model.onnx", "*.gguf"));
    assertThat(download(endpoint(), MODEL, some, SHORT).unmatched())
        .extracting(OptionText::flags)
        .containsExactly(
            "--include onx/model.onnx matches no file of acme/tiny; did you mean onnx/model.onnx?",
            "--include *.gguf matches no file of acme/tiny; check the pattern");
    assertFails(() -> FileChoice.of(RepositoryType.MODEL, List.of("[")), "--include must be");
  }

  @Test
  void aModelWithoutSafetensorsIsRefusedWithItsFiles() throws IOException {
    hub.files().remove("model.safetensors");
    assertFails(
        this::download,
        "acme/tiny has no weights that dpo4j reads",
        "pytorch_model.bin",
        "look for a repository of the same model with safetensors");
    hub.with("unet/model.safetensors", random(2000, 5));
    assertFails(this::download, "--include fetches other files");
    assertThat(folder).doesNotExist();
  }

  @Test
  void ofADataSetTheFilesOfRowsArrive() {
    List<String> names =
        List.of("README.md", "data/train-1.parquet", "a.jsonl.gz", "dataset_infos.json", "x.py");
    List<HubFile> files = names.stream().map(name -> new HubFile(name, 1, "0".repeat(40))).toList();
    Repository set = new Repository(RepositoryType.DATASET, "acme/pairs", "main");
    FileChoice choice = FileChoice.usual(RepositoryType.DATASET);
    assertThat(choice.of(set, files))
        .extracting(HubFile::path)
        .containsExactly("README.md", "data/train-1.parquet", "a.jsonl.gz");
    assertFails(() -> choice.of(set, files.subList(0, 1)), "no file with rows that dpo4j reads");
    assertThat(set.filePath("c", "data/a b#.csv"))
        .isEqualTo("/datasets/acme/pairs/resolve/c/data/a%20b%23.csv");
    assertThat(set.commitPath()).isEqualTo("/api/datasets/acme/pairs/revision/main");
  }

  @Test
  void theTokenGoesToTheHubAlone() throws IOException {
    download(endpoint("HF_TOKEN", "hf_secret"), MODEL, USUAL, SHORT);
    assertAllThere();
    assertThat(hub.requests).filteredOn(FakeHub.Request::toStore).isNotEmpty();
    assertThat(hub.requests)
        .allMatch(
            request -> request.token().equals(request.toStore() ? "null" : "Bearer hf_secret"));
  }

  @Test
  void aRenamedRepositoryAndABranchWithASlashAreFound() throws IOException {
    download(endpoint(), new Repository(RepositoryType.MODEL, "old", "main"), USUAL, SHORT);
    assertThat(hub.requests)
        .extracting(FakeHub.Request::path)
        .contains("/api/models/old/revision/main");
    assertThat(new Repository(RepositoryType.MODEL, "acme/tiny", "a/b").commitPath())
        .isEqualTo("/api/models/acme/tiny/revision/a%2Fb");
  }

  @Test
  void aBrokenConnectionGoesOnWhereItEnded() throws IOException {
    hub.next("model.safetensors", FakeHub.cut(100_000), FakeHub.cut(50_000));
    download();
    assertAllThere();
    assertThat(hub.requests)
        .filteredOn(request -> request.toStore() && request.path().equals("model.safetensors"))
        .hasSize(3)
        .extracting(FakeHub.Request::range)
        .first()
        .isEqualTo("null");
    assertThat(hub.requests)
        .extracting(FakeHub.Request::range)
        .anyMatch(range -> range.matches("bytes=[1-9]\\d*-"));
  }

  @Test
  void whatArrivedIsKeptForTheNextCommand() throws IOException {
    hub.next(
        "model.safetensors",
        FakeHub.cut(200_000),
        FakeHub.status(500),
        FakeHub.status(503),
        FakeHub.status(500));
    assertFails(
        this::download,
        "model.safetensors did not arrive: 127.0.0.1 answered 500 (tried 4 times); try later, or"
            + " through another network or proxy; what has arrived is kept, and the same command"
            + " continues");
    assertThat(found()).isEmpty();
    hub.requests.clear();
    download();
    assertAllThere();
    assertThat(hub.requests)
        .filteredOn(request -> request.toStore() && request.path().equals("model.safetensors"))
        .singleElement()
        .extracting(FakeHub.Request::range)
        .asString()
        .matches("bytes=[1-9]\\d*-");
  }

  @Test
  void aStalledConnectionIsReplaced() throws IOException {
    hub.next("model.safetensors", FakeHub.stall(1000, 3000), FakeHub.stall(0, 3000));
    hub.next("config.json", FakeHub.stall(0, 3000));
    hub.next("/api/models/acme/tiny/revision/main", (exchange, right) -> FakeHub.sleep(1000));
    download(endpoint(), MODEL, USUAL, STALLING);
    assertAllThere();
    Files.delete(folder.resolve("model.safetensors"));
    FakeHub.Fault stall = FakeHub.stall(0, 3000);
    hub.next("model.safetensors", stall, stall, stall);
    assertFails(
        () -> download(endpoint(), MODEL, USUAL, STALLING),
        "model.safetensors did not arrive: 127.0.0.1 sent nothing for 0 s (tried 3 times)");
  }

  @Test
  void serverErrorsAndLimitsOfRequestsPass() throws IOException {
    String tree = "/api/models/acme/tiny/tree/" + FakeHub.COMMIT;
    hub.next(tree, FakeHub.status(502), FakeHub.status(429, "Retry-After", "1"));
    hub.next("tokenizer.json", FakeHub.status(503), FakeHub.status(403), FakeHub.status(408));
    long started = System.nanoTime();
    download();
    assertAllThere();
    assertThat(System.nanoTime() - started).isGreaterThan(TimeUnit.SECONDS.toNanos(1));
  }

  @ParameterizedTest
  @ValueSource(strings = {"300", "Wed, 21 Oct 2099 07:28:00 GMT"})
  void aLimitThatLastsLongEndsWithItsTime(String pause) {
    hub.next("/api/models/acme/tiny/revision/main", FakeHub.status(429, "Retry-After", pause));
    assertFails(
        this::download,
        "limits the number of requests and asks to wait " + (pause.equals("300") ? "5 min" : ""),
        "repeat the command later, or set HF_TOKEN in the environment");
    assertThat(folder).doesNotExist();
  }

  @Test
  void aStoreThatIgnoresTheRangeOrSendsAnotherIsNotBelieved() throws IOException {
    byte[] right = hub.bytes("model.safetensors");
    FakeHub.Fault whole = FakeHub.bytes(200, right);
    FakeHub.Fault other = FakeHub.bytes(206, new byte[10], "Content-Range", "bytes 5-14/5000");
    FakeHub.Fault unsaid = FakeHub.bytes(206, new byte[10]);
    FakeHub.Fault size = FakeHub.bytes(206, new byte[10], "Content-Range", "bytes 0-9/10");
    FakeHub.Fault none = FakeHub.status(416);
    hub.next("model.safetensors", FakeHub.cut(1000), whole);
    hub.next("tokenizer.json", FakeHub.cut(1000), other);
    download();
    assertAllThere();
    assertThat(requestsToStore("model.safetensors")).isEqualTo(2);
    assertThat(requestsToStore("tokenizer.json")).isEqualTo(3);
    Files.delete(folder.resolve("model.safetensors"));
    Files.delete(folder.resolve("tokenizer.json"));
    hub.next("model.safetensors", FakeHub.cut(1000), size, none, whole);
    hub.next("tokenizer.json", FakeHub.cut(1000), unsaid);
    download();
    assertAllThere();
    assertThat(requestsToStore("tokenizer.json")).isEqualTo(3 + 3);
  }

  private long requestsToStore(String path) {
    return hub.requests.stream()
        .filter(request -> request.toStore() && request.path().equals(path))
        .count();
  }

  @Test
  void aStoreWhoseFileChangedMeanwhileIsNotBelieved() throws IOException {
    hub.next(
        "model.safetensors",
        FakeHub.cut(1000),
        (exchange, right) ->
            FakeHub.part(exchange, random(right.length, 9), FakeHub.from(exchange)));
    download();
    assertAllThere();
  }

  @Test
  void aWrongByteIsFetchedAgainOnceAndThenNamed() throws IOException {
    hub.next("model.safetensors", FakeHub.wrongByte());
    hub.next("config.json", FakeHub.wrongByte());
    download();
    assertAllThere();

    Files.delete(folder.resolve("config.json"));
    hub.next("config.json", FakeHub.wrongByte(), FakeHub.wrongByte());
    assertFails(this::download, "config.json must have the git hash ");
    assertThat(found()).doesNotContainKey("config.json");
    download();
    assertAllThere();

    Files.delete(folder.resolve("model.safetensors"));
    byte[] wrong = hub.bytes("model.safetensors").clone();
    wrong[wrong.length - 1] ^= 1;
    hub.next("model.safetensors", FakeHub.wrongByte(), FakeHub.wrongByte());
    assertFails(
        this::download,
        "model.safetensors must have the SHA-256 " + Sha256.of(hub.bytes("model.safetensors")),
        "what arrived, twice, has " + Sha256.of(wrong));
    assertThat(found()).doesNotContainKey("model.safetensors");
    download();
    assertAllThere();
  }

  @Test
  void moreBytesThanStatedAreRefused() throws IOException {
    byte[] more = new byte[20_000];
    hub.next(
        "tokenizer.json",
        FakeHub.bytes(200, more),
        (exchange, right) -> {
          exchange.sendResponseHeaders(200, 0); // of unknown length
          exchange.getResponseBody().write(more);
        });
    download();
    assertAllThere();
    Files.delete(folder.resolve("tokenizer.json"));
    hub.always(
        FakeHub.bytes(200, "<html>".getBytes(StandardCharsets.UTF_8), "Content-Type", "text/html"));
    assertFails(
        this::download,
        "tokenizer.json must have 5,000 bytes but 127.0.0.1 sends 6, a web page: perhaps a network"
            + " asks for a login first");
  }

  @Test
  void refusalsSayWhatToDo() throws IOException {
    String main = "/api/models/acme/tiny/revision/main";
    String config = "/acme/tiny/resolve/" + FakeHub.COMMIT + "/config.json";
    HubEndpoint withToken = endpoint("HF_TOKEN", "hf_secret");

    hub.next(config, FakeHub.status(401, "X-Error-Code", "GatedRepo"));
    assertFails(
        this::download,
        "acme/tiny is gated: accept its terms at %s/acme/tiny, then set HF_TOKEN"
            .formatted(hub.address()));
    hub.next(config, FakeHub.status(403, "X-Error-Code", "GatedRepo"));
    assertFails(
        () -> download(withToken, MODEL, USUAL, SHORT),
        "the token in HF_TOKEN must be of the account that was given access");
    hub.next(main, FakeHub.status(401, "X-Error-Code", "RepoNotFound"));
    assertFails(
        this::download,
        "has no public model acme/tiny; check the name, and pass --type dataset for a data set; if"
            + " it is private, set HF_TOKEN");
    hub.next(main, FakeHub.status(401));
    assertFails(
        () -> download(withToken, MODEL, USUAL, SHORT),
        "no model acme/tiny that the token in HF_TOKEN may read");
    hub.next(main, FakeHub.status(403, "X-Error-Message", "blocked here"));
    assertFails(
        this::download,
        "%s refuses model acme/tiny to a request without a token: blocked here; if it is private or"
                .formatted(hub.address())
            + " restricted, set HF_TOKEN in the environment",
        "a filter of the network may answer so too");
    hub.next(main, FakeHub.status(403));
    assertFails(
        () -> download(withToken, MODEL, USUAL, SHORT), "HF_TOKEN has no right to read acme/tiny");
    hub.next(main, FakeHub.status(404, "X-Error-Code", "RevisionNotFound"));
    assertFails(
        this::download,
        "--revision must be a branch, a tag or a commit of acme/tiny but it has no main");
    assertFails(
        () ->
            download(
                endpoint(), new Repository(RepositoryType.MODEL, "no/such", "main"), USUAL, SHORT),
        "has no model no/such; check the name");
    hub.next(config, FakeHub.status(404, "X-Error-Code", "EntryNotFound"));
    assertFails(
        this::download,
        "config.json did not arrive: %s lists config.json but does not have it; try later, or choose"
                .formatted(hub.address())
            + " the other files with --include");
    hub.next(config, FakeHub.status(404));
    assertFails(this::download, "lists config.json but does not have it; try later");
    hub.next(main, FakeHub.status(400, "X-Error-Message", "bad word"));
    assertFails(
        this::download,
        "127.0.0.1 answered 400: bad word; check HF_ENDPOINT and https_proxy in the environment");
    hub.next(main, FakeHub.status(407));
    assertFails(this::download, "the proxy wants a user and a password");
  }

  @Test
  void answersThatAreNotOfTheInterfaceAreNamed() {
    String main = "/api/models/acme/tiny/revision/main";
    byte[] page = "<html>log in</html>".getBytes(StandardCharsets.UTF_8);
    hub.next(main, FakeHub.bytes(200, page, "Content-Type", "text/html; charset=utf-8"));
    assertFails(
        this::download,
        "127.0.0.1 must answer in JSON but sent a web page; perhaps a network asks");
    hub.next(main, FakeHub.bytes(200, "{\"sha\": \"../x\"}".getBytes(StandardCharsets.UTF_8)));
    assertFails(this::download, "must name the commit of model acme/tiny but does not");
    hub.next(main, FakeHub.bytes(200, "[".getBytes(StandardCharsets.UTF_8)));
    assertFails(this::download, "sent something else; check HF_ENDPOINT");
  }

  @Test
  void redirectsThatLeadNowhereAreRefused() {
    String main = "/api/models/acme/tiny/revision/main";
    FakeHub.Fault circle = FakeHub.status(302, "Location", main);
    hub.next(main, Stream.generate(() -> circle).limit(20).toArray(FakeHub.Fault[]::new));
    assertFails(this::download, "redirects more than 10 times");
    hub.next(main, FakeHub.status(302, "Location", "file:///etc/passwd"));
    assertFails(this::download, "refers to file:..., which must be an address that begins with");
    hub.next(main, FakeHub.status(302));
    assertFails(this::download, "refers to nothing");
    String tree = "/api/models/acme/tiny/tree/" + FakeHub.COMMIT;
    hub.next(
        tree,
        FakeHub.bytes(
            200,
            "[]".getBytes(StandardCharsets.UTF_8),
            "Link",
            "<%s?recursive=true>; rel=\"next\"".formatted(tree)));
    hub.next(
        tree,
        Stream.generate(
                () ->
                    FakeHub.bytes(
                        200,
                        "[]".getBytes(StandardCharsets.UTF_8),
                        "Link",
                        "<%s?recursive=true>; rel=\"next\"".formatted(tree)))
            .limit(3)
            .toArray(FakeHub.Fault[]::new));
    assertFails(this::download, "the list of the files of model acme/tiny does not end");
  }

  @Test
  void aHubThatCannotBeReachedIsNamedAtOnce() throws IOException {
    int port;
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = socket.getLocalPort();
    }
    HubEndpoint none = HubEndpoint.of(Map.of("HF_ENDPOINT", "http://127.0.0.1:" + port));
    assertFails(
        () -> download(none, MODEL, USUAL, Patience.USUAL),
        "127.0.0.1 refuses the connection, or no way leads there; check the network, and https_proxy and HF_ENDPOINT in the environment (now http://127.0.0.1");
    assertThat(folder).doesNotExist();
  }

  @Test
  void aNameThatIsNotKnownIsNamed() {
    HubEndpoint none = HubEndpoint.of(Map.of("HF_ENDPOINT", "https://no-such-host.invalid"));
    assertFails(
        () -> download(none, MODEL, USUAL, Patience.USUAL),
        "the name no-such-host.invalid is not known to the network; check the network, and");
  }

  @Test
  void aServerThatDoesNotEncryptOrDoesNotAnswerIsNamed() throws IOException {
    Patience moment = new Patience(Duration.ofSeconds(1), Duration.ofSeconds(5), 4, ONE, ONE);
    String silent = hub.address().replace("http", "https");
    HubEndpoint other = HubEndpoint.of(Map.of("HF_ENDPOINT", silent));
    assertFails(
        () -> download(other, MODEL, USUAL, moment),
        "127.0.0.1 gave no connection within 1 s; check");
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      Thread plain = new Thread(() -> answerInPlainText(socket));
      plain.start();
      HubEndpoint open =
          HubEndpoint.of(Map.of("HF_ENDPOINT", "https://127.0.0.1:" + socket.getLocalPort()));
      assertFails(
          () -> download(open, MODEL, USUAL, Patience.USUAL),
          "no encrypted connection to 127.0.0.1 came about (",
          "; check the network, and");
    }
  }

  private static void answerInPlainText(ServerSocket socket) {
    try (Socket connection = socket.accept()) {
      connection.getInputStream().read(); // an answer before the question would be lost
      connection
          .getOutputStream()
          .write("HTTP/1.1 400 Bad Request\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
      connection.getOutputStream().flush();
      connection.getInputStream().readNBytes(200); // closing at once would reset it
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void aStoreThatCannotBeReachedIsNamedAtOnceAndTheHubIsTriedAgain() throws IOException {
    int port;
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = socket.getLocalPort();
    }
    FakeHub.Fault away = FakeHub.status(302, "Location", "http://127.0.0.1:%d/x".formatted(port));
    hub.next("/acme/tiny/resolve/%s/config.json".formatted(FakeHub.COMMIT), away);
    assertFails(
        () -> download(endpoint(), MODEL, USUAL, Patience.USUAL),
        "config.json did not arrive: 127.0.0.1 refuses the connection",
        "%s keeps its files there: check that the network".formatted(hub.address()));
  }

  @Test
  void aCertificateThatTheJdkDoesNotTrustIsNamed() throws Exception {
    Path store = folder.resolveSibling("store");
    Process keytool =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-keystore",
                store.toString(),
                "-storepass",
                "secret",
                "-keyalg",
                "EC",
                "-dname",
                "CN=localhost",
                "-ext",
                "san=dns:localhost")
            .redirectErrorStream(true)
            .redirectOutput(folder.resolveSibling("keytool").toFile())
            .start();
    assertThat(keytool.waitFor()).isZero();
    KeyStore keys = KeyStore.getInstance(store.toFile(), "secret".toCharArray());
    KeyManagerFactory managers =
        KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    managers.init(keys, "secret".toCharArray());
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(managers.getKeyManagers(), null, null);
    HttpsServer server =
        HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setHttpsConfigurator(new HttpsConfigurator(context));
    server.start();
    try {
      HubEndpoint other =
          HubEndpoint.of(
              Map.of("HF_ENDPOINT", "https://localhost:" + server.getAddress().getPort()));
      assertFails(
          () -> download(other, MODEL, USUAL, Patience.USUAL),
          "the certificate of localhost is not trusted by this JDK",
          "DPO4J_JAVA_OPTS=-Djavax.net.ssl.trustStore=FILE");
    } finally {
      server.stop(0);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../model.safetensors",
        "/etc/x",
        "a/../../x",
        "a//x",
        "./x",
        "C:x",
        "a\\..\\x",
        "x\0",
        "x\n",
        "",
        "a/",
        ".dpo4j-lock",
        ".dpo4j-download/x"
      })
  void aNameThatLeadsOutOfTheFolderIsRefused(String name) throws IOException {
    hub.with(name, "evil");
    FileChoice all = FileChoice.of(RepositoryType.MODEL, List.of("*"));
    assertFails(
        () -> download(endpoint(), MODEL, all, SHORT),
        "the names of a repository must " + (name.contains("\0") ? "be such" : "lead to places"));
    assertThat(folder).doesNotExist();
    assertThat(folder.resolveSibling("model.safetensors")).doesNotExist();
  }

  @Test
  void namesThatAreOneOnOtherSystemsAreRefused() throws IOException {
    hub.with("readme.md", "x");
    FileChoice both = FileChoice.of(RepositoryType.MODEL, List.of("*.md"));
    assertFails(
        () -> download(endpoint(), MODEL, both, SHORT),
        "must differ by more than capital letters but acme/tiny has README.md and readme.md");
  }

  @Test
  void aFileAndAFolderOfOneNameAreRefusedBeforeAByteArrives() {
    hub.with("README.MD/x.md", "x");
    FileChoice both = FileChoice.of(RepositoryType.MODEL, List.of("*.md"));
    assertFails(
        () -> download(endpoint(), MODEL, both, SHORT),
        "must be of files or of folders but acme/tiny has README.md and README.MD/x.md; choose one"
            + " with --include");
    assertThat(hub.requestsForBytes()).isZero();
  }

  @ParameterizedTest
  @ValueSource(strings = {"no size", "no hash", "name", "long"})
  void anOddEntryOfTheListIsRefusedOnlyWhereItIsChosen(String odd) throws IOException {
    String name =
        switch (odd) {
          case "name" -> "odd\0";
          case "long" -> "ü".repeat(128); // 256 bytes
          default -> "odd";
        };
    hub.withOdd(
        Map.of(
            "type",
            "file",
            "path",
            name,
            odd.equals("no hash") ? "x" : "oid",
            "0".repeat(40),
            odd.equals("no size") ? "x" : "size",
            1));
    FileChoice all = FileChoice.of(RepositoryType.MODEL, List.of("*"));
    assertFails(
        () -> download(endpoint(), MODEL, all, SHORT),
        switch (odd) {
          case "no size" ->
              "the hub must state size and hash of each file but for odd it states no size and the"
                  + " hash \"0000";
          case "no hash" -> "it states 1 bytes and no hash; try later";
          case "name" -> "must be such that this system can write";
          default -> "must lead to places in one folder";
        });
    assertThat(hub.requestsForBytes()).isZero();
    download();
    assertAllThere();
  }

  @Test
  void aLinkOutOfTheFolderIsNotFollowed() throws IOException {
    Path outside = Files.createDirectory(folder.resolveSibling("outside"));
    Files.createDirectory(folder);
    Files.createSymbolicLink(folder.resolve("additional_chat_templates"), outside);
    assertFails(this::download, "is a link to another folder");
    assertThat(outside).isEmptyDirectory();
  }

  @Test
  void filesOfTheUserStayAsTheyAre() throws IOException {
    Files.createDirectory(folder);
    Files.writeString(folder.resolve("config.json"), "mine");
    Files.writeString(folder.resolve("notes.txt"), "mine too");
    assertFails(
        this::download,
        "with names of acme/tiny must be its own, at commit " + FakeHub.COMMIT,
        "but one differs or is damaged: config.json; remove it to fetch it again, or name another"
            + " --output_dir");
    assertThat(found()).containsOnlyKeys("config.json", "notes.txt");
    assertThat(found().get("config.json")).asString(StandardCharsets.UTF_8).isEqualTo("mine");
    Files.delete(folder.resolve("config.json"));
    download();
    assertThat(found()).containsKeys("notes.txt", "config.json", "model.safetensors");
  }

  @Test
  void aDamagedFileIsNoticedByTheNextCommand() throws IOException {
    download();
    byte[] damaged = hub.bytes("model.safetensors").clone();
    damaged[1234] ^= 1;
    Files.write(folder.resolve("model.safetensors"), damaged);
    assertFails(this::download, "one differs or is damaged: model.safetensors; remove it");
  }

  @Test
  void filesOfTwoCommitsOrRepositoriesDoNotMix() throws IOException {
    download();
    String later = "f".repeat(40);
    hub.moveTo(later);
    assertFails(
        this::download,
        "holds acme/tiny at commit " + FakeHub.COMMIT,
        "its revision main is now " + later,
        "pass --revision " + FakeHub.COMMIT);
    hub.moveTo(FakeHub.COMMIT);
    assertFails(
        () ->
            download(endpoint(), new Repository(RepositoryType.MODEL, "old", "main"), USUAL, SHORT),
        "--output_dir must be a folder for one repository but",
        "has files of model acme/tiny; name another");
    Files.writeString(folder.resolve(".dpo4j-download.json"), "{");
    assertFails(this::download, ".dpo4j-download.json must be JSON but is not");
  }

  @Test
  void twoDownloadsAtOnceIntoOneFolderAreRefused() {
    try (Download first = Download.open(endpoint(), MODEL, USUAL, folder)) {
      assertThatThrownBy(() -> Download.open(endpoint(), MODEL, USUAL, folder))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("must not be in use by another run");
      assertThat(first.interrupted()).contains("0 MB have arrived", "the same command continues");
    }
    assertThat(folder).doesNotExist();
  }

  @Test
  void aDiskWithTooLittleRoomIsNoticedBeforeTheFirstByte() {
    try (Download download =
        Download.open(endpoint(), MODEL, USUAL, folder, path -> OptionalLong.of(300_000), SHORT)) {
      assertFails(
          () -> download.plan(Progress.NONE), "must have room for 305 kB but only 300 kB are free");
    }
    assertThat(hub.requestsForBytes()).isZero();
    assertThat(folder).doesNotExist();
  }

  @Test
  void theProgressCountsToItsEnd() {
    List<String> updates = new ArrayList<>();
    Progress progress = (task, done, total, note) -> updates.add(task + " " + done + "/" + total);
    try (Download download = Download.open(endpoint(), MODEL, USUAL, folder)) {
      download.run(download.plan(progress), progress);
    }
    assertThat(updates)
        .contains("comparing 7/7", "download, MB 0/1")
        .last()
        .isEqualTo("download, MB 1/1");
  }

  /**
   * Fifty downloads into one folder, each ended at a random moment while the hub is slow, breaks
   * connections, sends wrong bytes and refuses; then one more with a sound hub.
   */
  @Test
  void afterAnyNumberOfEndsEveryFileIsRightOrNotThere() throws Exception {
    long seed = Long.getLong("dpo4j.seed", 42);
    Random random = new Random(seed);
    for (int shard = 1; shard <= 6; shard++) {
      hub.with(
          "model-0000%d-of-00006.safetensors".formatted(shard),
          random(40_000 + 30_000 * shard, 100 + shard));
    }
    Random ofHub = new Random(seed + 1);
    hub.always((exchange, right) -> faultOf(ofHub).answer(exchange, right));
    int arriving = 0;
    for (int round = 0; round < 50; round++) {
      AtomicBoolean watching = new AtomicBoolean(true);
      AtomicReference<Throwable> wrong = new AtomicReference<>();
      Thread watcher = new Thread(() -> watch(watching, wrong));
      Thread download = new Thread(this::downloadUntilItEnds);
      watcher.start();
      download.start();
      download.join(1 + random.nextInt(200));
      download.interrupt();
      download.join();
      arriving += Files.isDirectory(folder.resolve(".dpo4j-download")) ? 1 : 0;
      watching.set(false);
      watcher.join();
      assertThat(wrong.get()).as("round %d, seed %d", round, seed).isNull();
      assertEachRight();
      if (found().size() == 13) {
        for (String name : found().keySet()) {
          Files.deleteIfExists(folder.resolve(name)); // begin again
        }
      }
    }
    assertThat(arriving).as("ends while files arrive, seed %d", seed).isGreaterThan(15);
    hub.rightAgain();
    download();
    assertEachRight();
    assertThat(found()).hasSize(13);
    assertThat(folder.resolve(".dpo4j-download")).doesNotExist();
  }

  private static synchronized FakeHub.Fault faultOf(Random random) {
    return switch (random.nextInt(8)) {
      case 0 -> FakeHub.status(503);
      case 1 -> FakeHub.cut(random.nextInt(20_000));
      case 2 -> random.nextInt(4) == 0 ? FakeHub.wrongByte() : FakeHub.cut(5000);
      case 3 -> FakeHub.slow(1000, 1, 1 + random.nextInt(30_000));
      case 4 -> FakeHub.status(429, "Retry-After", "0");
      default -> FakeHub.slow(2000, 1, 0);
    };
  }

  private void downloadUntilItEnds() {
    try {
      download();
    } catch (DpoException e) {
      // A fault that lasted, or the end of this thread: the folder is looked at.
    }
  }

  /** Compares every file that can be seen, all the time; the configuration is the last of them. */
  private void watch(AtomicBoolean watching, AtomicReference<Throwable> wrong) {
    while (watching.get()) {
      boolean whole = Files.exists(folder.resolve("config.json"));
      if (whole && !Files.exists(folder.resolve("model.safetensors"))) {
        wrong.set(new AssertionError("config.json is there before the weights"));
      }
      for (String name : hub.files().keySet()) {
        Path file = folder.resolve(name);
        if (Files.exists(file)) {
          try {
            assertThat(Files.readAllBytes(file)).as(name).isEqualTo(hub.bytes(name));
          } catch (IOException | AssertionError e) {
            wrong.set(e);
          }
        }
      }
      FakeHub.sleep(1);
    }
  }
}
