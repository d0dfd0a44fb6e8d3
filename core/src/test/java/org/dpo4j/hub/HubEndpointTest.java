package org.dpo4j.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.Proxy;
import java.net.URI;
import java.util.List;
import java.util.Map;
import org.dpo4j.UsageException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Closes: an environment that is misread, a token that is shown or sent to another host. */
class HubEndpointTest {

  @Test
  void theHubIsTheUsualOneOrThatOfTheEnvironment() {
    assertThat(HubEndpoint.of(Map.of()).at("/api/models/a/b"))
        .isEqualTo(URI.create("https://huggingface.co/api/models/a/b"));
    assertThat(HubEndpoint.of(Map.of("HF_ENDPOINT", "https://mirror.example.com/hf/ ")).at("/x"))
        .isEqualTo(URI.create("https://mirror.example.com/hf/x"));
    assertThat(HubEndpoint.of(Map.of("HF_ENDPOINT", "http://localhost:8080")).at("/x"))
        .isEqualTo(URI.create("http://localhost:8080/x"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "http://mirror.example.com",
        "http://127.evil.example.com",
        "mirror.example.com",
        "https://",
        "https://user:word@mirror.example.com",
        "file:///tmp",
        "https://a b"
      })
  void anAddressThatIsNotSafeIsRefused(String address) {
    assertThatThrownBy(() -> HubEndpoint.of(Map.of("HF_ENDPOINT", address)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("HF_ENDPOINT in the environment must be an address such as https://");
  }

  @Test
  void theTokenIsForTheHubAndIsNeverShown() {
    HubEndpoint hub = HubEndpoint.of(Map.of("HF_TOKEN", " hf_secret\n"));
    assertThat(hub.tokenFor(URI.create("https://HuggingFace.co:443/x"))).hasValue("hf_secret");
    assertThat(hub.tokenFor(URI.create("http://huggingface.co/x"))).isEmpty();
    assertThat(hub.tokenFor(URI.create("https://huggingface.co:8443/x"))).isEmpty();
    assertThat(hub.tokenFor(URI.create("https://huggingface.co.example.com/x"))).isEmpty();
    assertThat(hub.toString()).doesNotContain("secret");
    assertThatThrownBy(() -> HubEndpoint.of(Map.of("HF_TOKEN", "hf_secret\nHost: x")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("HF_TOKEN in the environment must be one word")
        .hasMessageNotContaining("secret");
  }

  @Test
  void theProxyIsThatOfTheEnvironment() {
    HubEndpoint hub =
        HubEndpoint.of(
            Map.of(
                "HTTPS_PROXY",
                "http://proxy.example.com:3128",
                "no_proxy",
                "internal.example.com, .corp"));
    assertThat(hub.proxies().select(URI.create("https://huggingface.co/x")))
        .singleElement()
        .extracting(proxy -> proxy.address().toString())
        .asString()
        .contains("proxy.example.com", "3128");
    for (String direct :
        List.of(
            "https://internal.example.com",
            "https://a.internal.example.com",
            "https://x.corp",
            "http://huggingface.co",
            "https://localhost:1",
            "http://127.0.0.1:1")) {
      assertThat(hub.proxies().select(URI.create(direct)))
          .as(direct)
          .containsExactly(Proxy.NO_PROXY);
    }
    HubEndpoint all = HubEndpoint.of(Map.of("all_proxy", "proxy:1", "no_proxy", "*"));
    assertThat(all.proxies().select(URI.create("https://huggingface.co")))
        .containsExactly(Proxy.NO_PROXY);
  }

  @ParameterizedTest
  @ValueSource(strings = {"http://me:secret@proxy:1", "socks5://proxy:1", "http://", "a b"})
  void aProxyThatCannotBeUsedIsRefused(String proxy) {
    assertThatThrownBy(() -> HubEndpoint.of(Map.of("https_proxy", proxy)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("https_proxy in the environment must be an HTTP proxy")
        .hasMessageNotContaining("secret");
  }
}
