import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.KeySourceException;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.BadJWTException;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URI;
import java.text.ParseException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.List;
import java.util.Set;

/**
 * The door of a product in Java: it lets in whoever the gateway says is there, and nobody else. A servlet filter (Jakarta, Spring);
 * needs com.nimbusds:nimbus-jose-jwt and jakarta.servlet:jakarta.servlet-api. Behind it, {@code (JWTClaimsSet) request.getAttribute("fedgate.person")}.
 *
 * <p>What it checks is in docs/middleware.md. It reads no other field: X-Fedgate-User and its siblings prove nothing.
 */
public final class Door extends HttpFilter {
    /** Seconds that two clocks may differ. */
    private static final int SKEW = 60;
    /** Seconds that the gateway lets an assertion live. */
    private static final int LONGEST = 300;

    private final DefaultJWTProcessor<SecurityContext> processor = new DefaultJWTProcessor<>();

    /** {@code issuer} is the login host's URL, {@code product} the NAME of {@code [product.NAME]}. */
    public Door(String issuer, String product) throws MalformedURLException {
        if (!issuer.startsWith("https://")) {
            throw new IllegalArgumentException("the issuer is no https address");
        }
        JWKSource<SecurityContext> keys =
            JWKSourceBuilder.create(URI.create(issuer + "/.well-known/jwks.json").toURL()).build();
        // The algorithm and the kind are ours to say, not the token's.
        processor.setJWSKeySelector(new JWSVerificationKeySelector<>(JWSAlgorithm.ES256, keys));
        processor.setJWSTypeVerifier(new DefaultJOSEObjectTypeVerifier<>(new JOSEObjectType("fedgate+jwt")));
        JWTClaimsSet exactly = new JWTClaimsSet.Builder().issuer(issuer).build();
        processor.setJWTClaimsSetVerifier(new Times(product, exactly));
    }

    private static final class Times extends DefaultJWTClaimsVerifier<SecurityContext> {
        Times(String product, JWTClaimsSet exactly) {
            super(product, exactly, Set.of("sub", "sid", "iat", "exp"));
            setMaxClockSkew(SKEW);
        }

        @Override
        public void verify(JWTClaimsSet claims, SecurityContext context) throws BadJWTException {
            super.verify(claims, context);
            Date issued = claims.getIssueTime();
            long age = (System.currentTimeMillis() - issued.getTime()) / 1000;
            if (age < -SKEW || age >= LONGEST + SKEW || claims.getSubject().isEmpty()) {
                throw new BadJWTException("too old, of the future, or nobody");
            }
        }
    }

    @Override
    protected void doFilter(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws IOException, ServletException {
        List<String> values = new ArrayList<>(Collections.list(request.getHeaders("Fedgate-Assertion")));
        try {
            if (values.size() != 1) {
                throw new BadJOSEException("one Fedgate-Assertion is needed");
            }
            request.setAttribute("fedgate.person", processor.process(values.get(0), null));
        } catch (KeySourceException why) {
            response.sendError(HttpServletResponse.SC_SERVICE_UNAVAILABLE, "the keys of the gateway cannot be had");
            return;
        } catch (ParseException | BadJOSEException | JOSEException why) {
            response.sendError(HttpServletResponse.SC_UNAUTHORIZED, "open this product through the gateway");
            return;
        }
        chain.doFilter(request, response);
    }
}
